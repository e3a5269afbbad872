"""The operator: reloads, kicks, revocations, statistics, log rotation."""
import asyncio
import json
import os
import random
import signal

from gateway import CTL

READ = (("show", "stats"), ("show", "players"), ("show", "queue"),
        ("show", "config"), ("show", "store"), ("-j", "show", "stats"),
        ("-j", "show", "players"), ("token", "list"))
SETTINGS = ("players { ping-interval 1s }", "players { ping-interval 3s }",
            "publishers { max-body 64K }", "tokens { cache 0s }")


class Admin:
    def __init__(self, soak):
        self.soak = soak
        self.gateway = soak.gateway
        self.serial = 0

    async def ctl(self, *args, codes=(0,)):
        process = await asyncio.create_subprocess_exec(
            str(CTL), "-s", str(self.gateway.control), *args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        if process.returncode not in codes:
            self.soak.fail("ctl %r: %d %r %r" % (
                args, process.returncode, out[-300:], err[-2000:]))
        return process.returncode, out

    async def live(self):
        acts = (self.read, self.read, self.read, self.metrics, self.kick,
                self.kick, self.kick_connection, self.revoke, self.delete,
                self.server, self.reload, self.bad_reload, self.monitor,
                self.rotate, self.level, self.messages)
        while not self.soak.ending.is_set():
            act = random.choice(acts)
            self.soak.count[act.__name__] += 1
            await act()
            await self.soak.pause(random.expovariate(1.5))

    def someone(self):
        """A player who is to be there, most of the time."""
        persons = [p for p in self.soak.persons if p.kind == "commuter"]
        there = [p for p in persons if p.conn is not None]
        return random.choice(there or persons)

    async def read(self):
        await self.ctl(*random.choice(READ))

    async def metrics(self):
        await asyncio.to_thread(self.gateway.metrics)

    async def kick(self):
        person = self.someone()
        self.serial += 1
        reason = "kick %d" % self.serial
        person.dismissed(reason)
        await self.ctl("kick", "player", person.id, reason, codes=(0, 3))

    async def kick_connection(self):
        person = self.someone()
        self.serial += 1
        reason = "kick %d" % self.serial
        _, out = await self.ctl("-j", "show", "player", person.id,
                                codes=(0, 3))
        connections = json.loads(out)["connections"] if out else []
        if connections:
            person.dismissed(reason)
            await self.ctl("kick", "connection", str(
                connections[0]["connection"]), reason, codes=(0, 3))

    async def revoke(self):
        """The old token goes while its player already has a new one."""
        person = self.someone()
        old = person.token
        person.new_token()
        person.dismissed("token expired")
        await self.ctl("token", "revoke", old)

    async def delete(self):
        """The application deletes the row: the daemon finds out."""
        person = self.someone()
        old = person.token
        person.new_token()
        person.dismissed("token expired")
        self.gateway.delete_token(old)
        if person.conn is not None:
            await asyncio.wait_for(person.gone.wait(), 60)

    async def server(self):
        """A server whose right to publish is taken away."""
        self.serial += 1
        name = "server-%d" % self.serial
        token = self.gateway.add_token("sv%d" % self.serial, subject=name,
                                       server=True)
        doc = {"player_id": "900000", "event": "noise", "payload": 1}
        status, _, _ = await asyncio.to_thread(
            self.gateway.post, "/publish", doc, token)
        if status != 200:
            self.soak.fail("new server: %d" % status)
        await self.ctl("token", "revoke", "-s", name)
        status, _, _ = await asyncio.to_thread(
            self.gateway.post, "/publish", doc, token)
        if status != 403:
            self.soak.fail("revoked server: %d" % status)

    def configure(self, more):
        self.gateway.settings = self.soak.settings + "\n" + more
        self.gateway.write_conf()

    async def reload(self):
        self.soak.secure.renew()
        self.configure(random.choice(SETTINGS))
        told = random.random() < 0.5
        if told:
            await self.ctl("reload")
        else:
            start = self.soak.reloads()
            self.gateway.signal(signal.SIGHUP)
            await self.soak.wait(lambda: self.soak.reloads() != start,
                                 "a reload by SIGHUP")
        await self.soak.secure.renewed(told)

    async def bad_reload(self):
        bad = random.choice(["no such thing", "players { ping-",
                             "http { max-header 1 }", None, None])
        if bad is None:
            self.soak.secure.spoil()
        else:
            self.configure(bad)
        await self.ctl("reload", codes=(1,))
        self.configure("")
        self.soak.secure.restore()

    async def monitor(self):
        process = await asyncio.create_subprocess_exec(
            str(CTL), "-s", str(self.gateway.control), "monitor",
            stdout=asyncio.subprocess.DEVNULL)
        await self.soak.pause(random.uniform(0.2, 2))
        process.terminate()
        await process.wait()

    async def rotate(self):
        """As logrotate does; what was written is looked at and thrown away."""
        path = self.gateway.logfile
        old = path.with_suffix(".old")
        os.rename(path, old)
        self.gateway.signal(signal.SIGUSR1)
        await self.soak.wait(path.exists, "the new log file")
        self.soak.read_log(old)
        os.unlink(old)

    async def level(self):
        await self.ctl("log", random.choice(["info", "info", "debug"]))

    async def messages(self):
        await self.ctl("publish", "900001", "noise", "[1, 2]")
        await self.ctl("broadcast", "noise", '{"a": null}')
