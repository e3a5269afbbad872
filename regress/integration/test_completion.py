"""Completion in bash and zsh: at every place of every command, what the shell
offers is what ws-gatewayctl takes there, since that is who is asked."""
import functools
import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time

import pytest

from gateway import CTL, LIMIT, ROOT

BASH = ROOT / "etc" / "completion" / "ws-gatewayctl.bash"
ZSH = ROOT / "etc" / "completion"
OPTIONS = {"-h", "-j", "-s", "-V"}
DEEP = 6        # words; monitor and reasons go on for ever


def ctl(*args):
    return subprocess.run([str(CTL), *args], capture_output=True, text=True,
                          check=False, timeout=LIMIT)


@functools.cache
def follows(words):
    """{word: explanation} of what may come behind WORDS."""
    res = ctl("-C", "--", *words)
    assert res.returncode == 0 and res.stderr == "", res
    return dict(line.split("\t", 1) for line in res.stdout.splitlines())


def places(words=(), seen=None):
    """Each place that leads somewhere else, by the words to it."""
    seen = {} if seen is None else seen
    found = follows(words)
    # Behind "monitor connect" is the same as behind "monitor".
    if len(words) == DEEP or (words and found in
                              [seen.get(words[:n]) for n in
                               range(len(words))]):
        return seen
    seen[words] = found
    for word in found:
        places((*words, "21" if word.startswith("<") else word), seen)
    return seen


def bash(*words):
    """What bash offers for the last of WORDS."""
    res = subprocess.run(
        ["bash", "-c", 'source "$0"; COMP_WORDS=("$@"); '
         'COMP_CWORD=$(($# - 1)); _ws_gatewayctl "$1"; '
         'printf "%s\\n" "${COMPREPLY[@]}"', str(BASH), str(CTL), *words],
        capture_output=True, text=True, check=False, timeout=LIMIT)
    assert res.returncode == 0 and res.stderr == "", res
    return set(res.stdout.split())


def test_every_command_is_there():
    """The tree has what -h lists, and it lists the tree's beginning."""
    usage = ctl("-h").stdout.splitlines()[1:]
    assert set(follows(())) == {line.split()[0] for line in usage}
    assert {("show", "player"), ("token", "add", "-p"), ("kick", "player")} \
        <= set(places())
    assert all(all(found.values()) for found in places().values())


def test_offers_are_understood():
    """What is offered is nothing that the command line does not take: an error
    is about what is missing behind it, never about the word itself."""
    for words, found in places().items():
        for word in found:
            if word.startswith("<"):
                continue
            res = ctl("-s", "/nonexistent", *words, word)
            assert "not understood" not in res.stderr, (words, word, res)


def test_abbreviated_and_wrong():
    assert follows(("sh", "player")) == follows(("show", "player"))
    assert ctl("-C", "nonsense").returncode == 3
    assert ctl("-C", "show", "play").returncode == 3
    assert bash("nonsense", "") == set()


def test_bash_everywhere():
    for words, found in places().items():
        want = {w for w in found if not w.startswith("<")}
        assert bash(*words, "") == want, words


def test_bash_prefix_and_options(folder):
    assert bash("sh") == {"show"}
    assert bash("show", "p") == {"players", "player"}
    assert bash("-") == OPTIONS
    assert bash("-j", "-") == OPTIONS
    path = str(folder.path) + "/control.sock"
    with open(path, "w", encoding="ascii"):
        pass
    assert bash("-s", path[:-2]) == {path}
    assert bash("-s", path, "-j", "token", "add", "-") == \
        {"-p", "-s", "-e", "-j"}
    # The options are those of the usage.
    usage = ctl("-h").stdout.split()
    assert {"-" + c for c in usage[usage.index("ws-gatewayctl") + 1]
            if c.isalpha()} | {"-s"} == OPTIONS


class Zsh:
    """An interactive zsh on a terminal, which is where it completes."""

    def __init__(self, folder):
        env = {"PATH": "%s:%s" % (CTL.parent, os.environ["PATH"]),
               "TERM": "dumb", "HOME": str(folder), "COLUMNS": "200"}
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (100, 200))
        self.process = subprocess.Popen(
            ["zsh", "-fi"], stdin=slave, stdout=slave, stderr=slave, env=env,
            cwd=folder, start_new_session=True)
        os.close(slave)
        self.say("unset zle_bracketed_paste; PS1='ready> '; "
                 "LISTMAX=10000; unsetopt prompt_sp auto_menu")
        self.say("fpath=('%s' $fpath); autoload -Uz compinit; compinit -u -D"
                 % ZSH)

    def read(self, until):
        text, end = "", time.monotonic() + LIMIT
        while not re.search(until, text):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.master], [], [],
                                              left)[0], text
            text += os.read(self.master, 65536).decode(errors="replace")
        return text

    def say(self, line):
        os.write(self.master, line.encode() + b"; print 'do''ne'\n")
        # Its editor has the terminal again once the prompt is there: what
        # came before that would not be a key.
        self.read(r"(?s)done\r?\n.*ready> ")

    def offers(self, *words):
        """What it lists at the end of WORDS, before its next prompt."""
        os.write(self.master, " ".join(["ws-gatewayctl", *words]).encode() +
                 b"\x04")
        text = self.read("(?s) -- .*ready> ")
        os.write(self.master, b"\x15")
        return set(re.findall(r"(?m)^(\S+) +--", text.replace("\r", "")))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh(folder):
    z = Zsh(folder.path)
    try:
        for words in ((), ("show",), ("monitor",), ("token", "add"),
                      ("-j", "log"), ("token", "add", "-p", "21")):
            behind = words[1:] if words[:1] == ("-j",) else words
            want = {w for w in follows(behind) if not w.startswith("<")}
            assert z.offers(*words, "") == want, words
        assert z.offers("show", "pl") == {"player", "players"}
    finally:
        z.close()
