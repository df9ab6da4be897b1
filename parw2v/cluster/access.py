"""Ray itself: whether it is there, how to reach a cluster, what its errors mean. It is imported when it is asked for."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import threading
from types import ModuleType
from typing import Any

from parw2v.errors import Parw2vError, SettingsError, WorkerError


def imported_ray() -> ModuleType:
    """The module, or an error that says how to get it."""
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise SettingsError("training on a cluster needs Ray: pip install 'parw2v[ray]'") from error


def connect(ray: ModuleType, address: str) -> bool:
    """Connect this process to a cluster; False if it is connected already."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of its own plans
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of rounds that nobody asks for after a loss
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    _check_port(address)
    options = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="CRITICAL", **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"no Ray cluster answers at {address!r} ({_one_line(error)}); start one with ray start --head, or give "
            "--ray its address"
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return True


def _check_port(address: str) -> None:
    """Find out at once whether anybody listens; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"nobody answers at {address} ({error}); start one with ray start --head, and give the address it tells"
        ) from error


def as_ours(error: Any) -> Exception:
    """The error that a node raised, if it is one of this package; else one that names it."""
    cause = error.cause
    return cause if isinstance(cause, Parw2vError) else WorkerError(f"a node failed: {_one_line(cause or error)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
