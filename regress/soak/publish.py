"""Those who publish: in order for each channel, one answer before the next."""
import asyncio
import json
import random

import rawhttp
import wire

ABSENT = 900000     # players from here on never come


class Publisher:
    def __init__(self, soak, token, place):
        self.soak = soak
        self.token = token
        self.http = wire.Http(place)

    async def post(self, path, document):
        """Status, and the answer if it was taken."""
        body = json.dumps(document).encode()
        if random.random() < 0.2:
            data = rawhttp.post(path, rawhttp.chunked(body, 600), self.token,
                                ["Transfer-Encoding: chunked"], length=False)
        else:
            data = rawhttp.post(path, body, self.token)
        status, body = await self.http.ask(data)
        self.soak.count["published"] += 1
        return status, json.loads(body) if status == 200 else body

    async def broadcast(self):
        channel = self.soak.broadcasts
        channel.sent += 1
        status, res = await self.post("/broadcast", {
            "event": "b", "payload": [channel.sent, pad()]})
        if status != 200:
            self.soak.fail("broadcast: %d %r" % (status, res))
        elif res["delivered"] < self.soak.stay_connections:
            self.soak.fail("broadcast: %r" % res)
        channel.taken = channel.sent

    async def private(self, person):
        seq = person.send()
        status, res = await self.post("/publish", {
            "player_id": person.id, "event": "p", "payload": [seq, pad()]})
        if status != 200:
            self.soak.fail("publish to %s: %d %r" % (person.name, status, res))
        elif person.kind != "vanishing" and \
                res["delivered"] + res["queued"] != person.recipients():
            self.soak.fail("publish to %s: %r" % (person.name, res))
        person.channel.taken = seq

    async def broadcasts(self, rate):
        while not self.soak.ending.is_set():
            await self.broadcast()
            await self.soak.pause(random.expovariate(rate))

    async def privates(self, persons):
        """To some players, each at its rate."""
        rates = [p.rate for p in persons]
        while not self.soak.ending.is_set():
            await self.private(random.choices(persons, rates)[0])
            await self.soak.pause(random.expovariate(sum(rates)))

    async def noise(self):
        """To the slow and the hostile, and to players who never come; the
        answer is of no interest, but there is one."""
        while not self.soak.ending.is_set():
            what = random.random()
            if what < 0.7:
                player = "slow%d" % random.randrange(self.soak.slow)
                size = 30000
            elif what < 0.85:
                player = str(ABSENT + random.randrange(200))
                size = random.choice([0, 100, 5000])
            else:
                player = "hostile%d" % random.randrange(20)
                size = 300
            status, res = await self.post("/publish", {
                "player_id": player, "event": "noise", "payload": "x" * size})
            if status not in (200, 503):
                self.soak.fail("noise: %d %r" % (status, res))
            await self.soak.pause(random.expovariate(25))


def pad():
    return "x" * random.choice([0, 1, 20, 100, 130, 500, 3000])


async def last_words(soak, publishers):
    """One more for everybody, when everybody is there."""
    await publishers[0].broadcast()
    for person in soak.persons:
        await publishers[0].private(person)
