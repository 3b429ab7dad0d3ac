"""Files written by a forked child, which has the state as it was at the fork, while the process continues."""

import asyncio
import contextlib
import ctypes
import gc
import mmap
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

RUN_SECONDS: Final = 0.001
STOP_SECONDS: Final = 0.02
"""A child runs for RUN_SECONDS, is stopped for STOP_SECONDS, and so on."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ForkFailed(RuntimeError):
    """The child ended without having written its file; the message says how."""


class ForkedFile:
    """A file being written: the constructor forks, and the child calls ``write`` with the file and ends.

    The process is blocked only during the fork. On a busy machine a computing child would take a processor from the
    orders, whatever its priority; so until ``stop_pacing`` it runs for a small part of the time only. The file is in
    ``folder``, or in the directory for temporary files, and has no name. ``processor_seconds`` is the child's processor
    time, once it has ended.
    """

    def __init__(self, write: Callable[[BinaryIO], object], folder: Path | None = None) -> None:
        self.processor_seconds = 0.0
        self._file = tempfile.TemporaryFile(prefix="goldx-fork-", dir=folder)  # noqa: SIM115
        self._paced = True
        self._ends_with_parent = mmap.mmap(-1, 1)
        """Shared with the child, which sets it once it is certain to end with its parent and may be stopped."""
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            _write_and_exit(write, self._file, parent, self._ends_with_parent)
        self._handle = os.pidfd_open(self._child)

    async def file(self) -> BinaryIO:
        """Wait for the child and return the file, at its beginning; closing it removes it. Raises ForkFailed."""
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(self._file)
            pacing = asyncio.create_task(self._pace())
            try:
                _, status, used = await asyncio.to_thread(os.wait4, self._child, 0)
            except asyncio.CancelledError:
                self._send(signal.SIGKILL)
                raise
            finally:
                pacing.cancel()
                handle, self._handle = self._handle, -1
                os.close(handle)
            self.processor_seconds = used.ru_utime + used.ru_stime
            if status != 0:
                code = os.waitstatus_to_exitcode(status)
                raise ForkFailed(f"the process that writes it ended with {code}")
            self._file.seek(0)
            cleanup.pop_all()
        return self._file

    def stop_pacing(self) -> None:
        """Stop pausing the child, because somebody waits for the file."""
        self._paced = False
        self._send(signal.SIGCONT)

    async def _pace(self) -> None:
        while self._paced:
            if self._ends_with_parent[0]:
                self._send(signal.SIGSTOP)
            await asyncio.sleep(STOP_SECONDS)
            self._send(signal.SIGCONT)
            await asyncio.sleep(RUN_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)


def _write_and_exit(
    write: Callable[[BinaryIO], object], file: BinaryIO, parent: int, ends_with_parent: mmap.mmap
) -> None:
    """Write the file and end, in the child: nothing of the parent's loop, connections or handlers may run here.

    The child ends with its parent: a stopped child would otherwise stay for ever and keep the locks it has inherited.
    """
    code = 1
    try:
        gc.disable()
        ends_with_parent[0] = _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0
        if os.getppid() != parent:
            os._exit(code)
        os.nice(10)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        write(file)
        file.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
