"""The door into a node: run a program in its namespaces, as if it had been started there.

    python -I -S enter.py HOLDER_PID HOLDER_STARTED NODE PROGRAM [ARGUMENT…]

`nsenter` could do most of this, but it stands between its caller and the program: a SIGTERM ends nsenter and
leaves the program running. Here signals pass through (once: a terminal has sent Ctrl-C to the program
already), the exit status comes back, a stopped program stops us, and when we are killed outright the program
is too.

The program gets the caller's environment and working directory, the node's network, host name and /sys, and
the lab's PID namespace, so that it ends with the lab.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress

if __name__ == "__main__":
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120

from topology import kernel

EXIT_GONE = 125  # we could not enter
EXIT_NOT_RUNNABLE = 126
EXIT_NOT_FOUND = 127

_SI_KERNEL = 0x80  # si_code of a signal the terminal driver sent to the whole foreground group
_FORWARDED = (
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGWINCH, signal.SIGCONT, signal.SIGALRM,
)  # fmt: skip
_AWAITED = {*_FORWARDED, signal.SIGCHLD}


def main(arguments: list[str]) -> int:
    """Enter, start the program, and stand in for it until it ends."""
    pid, started, node, *program = arguments
    directory = os.getcwd()  # noqa: PTH109
    try:
        _enter(int(pid), int(started), node)
    except OSError as error:
        sys.stderr.write(f"masugata: cannot enter {node}: {error.strerror} ({error.filename})\n")
        return EXIT_GONE
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    # A program started with SIGCHLD ignored would vanish before we could ask for its status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        _become(node, directory, program)
    return _stand_in(child)


def _enter(pid: int, started: int, node: str) -> None:
    """Open every door first, make sure that they are still the lab's, then walk through."""
    doors = [(f"/proc/{pid}/ns/{name}", kind) for name, kind in _KINDS.items()]
    doors.append((f"/proc/{pid}/root/run/netns/{node}", kernel.CLONE_NEWNET))
    opened = [(os.open(path, os.O_RDONLY | os.O_CLOEXEC), kind, path) for path, kind in doors]
    if kernel.started(pid) != started:
        raise OSError(0, "the lab is gone", str(pid))
    for descriptor, kind, path in opened:
        # Our own user namespace cannot be entered (EINVAL); a lab made by root without one shares ours.
        if kind != kernel.CLONE_NEWUSER or not _same(path, "/proc/self/ns/user"):
            kernel.setns(descriptor, kind)
        os.close(descriptor)


# The user namespace first: it gives the right to enter the others.
_KINDS = {"user": kernel.CLONE_NEWUSER, "pid": kernel.CLONE_NEWPID, "mnt": kernel.CLONE_NEWNS}


def _same(path: str, other: str) -> bool:
    one, two = os.stat(path), os.stat(other)  # noqa: PTH116
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _become(node: str, directory: str, program: list[str]) -> None:
    """Turn this child into the program; never returns."""
    status = EXIT_NOT_RUNNABLE
    try:
        kernel.die_with_parent(signal.SIGKILL)
        _furnish(node)
        _return_to(directory)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        os.execvp(program[0], program)  # noqa: S606
    except FileNotFoundError as error:
        status = EXIT_NOT_FOUND
        sys.stderr.write(f"masugata: {program[0]}: {error.strerror}\n")
    except OSError as error:
        sys.stderr.write(f"masugata: {program[0]}: {error.strerror}\n")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _furnish(node: str) -> None:
    """Give the program the node's host name and a /sys that shows the node's interfaces."""
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS)
    kernel.host_name(node)
    # Where /sys is masked (some containers) the old one stays; only /sys/class/net is then not the node's.
    with suppress(OSError):
        kernel.mount("sysfs", "/sys", "sysfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def _return_to(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def _stand_in(child: int) -> int:
    """Pass signals on and wait; return the exit status, or die of the signal the program died of."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if ended and os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            os.kill(child, signal.SIGCONT)
        elif ended:
            return _imitate(status)
        arrived = signal.sigwaitinfo(_AWAITED)
        if arrived.si_signo != signal.SIGCHLD and arrived.si_code != _SI_KERNEL:
            with suppress(ProcessLookupError):
                os.kill(child, arrived.si_signo)


def _imitate(status: int) -> int:
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    # The program has left its core if it wanted to; ours would hold nothing of interest.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
