"""Takes part in the election: reads and writes the Lease as `election` says, and moves the fence's deadline.

Rule: decides nothing. It has its own API client, without a fence, so that a renewal never waits behind a thousand pod
creations. Errors are logged and the request is tried again. If no try succeeds in time, the fence ends the operator.
"""

import asyncio
import random
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import structlog

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, custom_path
from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.leadership.election import Election, Standing
from podreduce_operator.leadership.fence import Fence
from podreduce_operator.leadership.lease import LEASE_API, Lease, build_lease, format_time, parse_lease
from podreduce_operator.leadership.lease_owner import find_owner
from podreduce_operator.leadership.lease_settings import LeaseSettings

__all__ = ["Elector"]

TURN_SHARE = 0.5
"""The share of the renew deadline that a turn may take, so that one request that hangs does not lose the lease."""

log = structlog.get_logger(__name__)


class Elector:
    """One operator's part in the election.

    Args:
        fence: open while the lease is held. It is told when the lease is lost.
        jitter: returns a number from 0 to 1. It spreads the tries of several operators.
        wall_clock: for the Lease's times, which only people read.
    """

    def __init__(
        self,
        api: ApiServer,
        settings: LeaseSettings,
        fence: Fence,
        *,
        jitter: Callable[[], float] = random.random,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self.trouble = ""
        self._api = api
        self._fence = fence
        self._jitter = jitter
        self._wall_clock = wall_clock
        self._election = Election(identity=build_identity(settings), settings=settings)
        self._turn = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._last_time: datetime | None = None

    @property
    def identity(self) -> str:
        """The name of this process in the Lease."""
        return self._election.identity

    @property
    def holder(self) -> str:
        """The lease's holder, as last seen; empty if there is none."""
        return "" if self._election.observed is None else self._election.observed.lease.holder

    def standing(self) -> Standing:
        """Return this process's role."""
        return self._election.standing(self._fence.clock())

    async def acquire(self) -> None:
        """Wait until this process holds the lease. From then on it is renewed until it is released or lost."""
        while not await self.take_turn():  # noqa: ASYNC110 - there is no event when another stops renewing
            await asyncio.sleep(self.settings.retry_seconds * (0.5 + 0.5 * self._jitter()))
        log.info("leading", lease=self.settings.place, identity=self.identity)
        self._renewing = asyncio.create_task(self._renew_forever(), name="renew the lease")

    async def stop(self, *, release: bool) -> None:
        """Stop renewing, and forbid all writes.

        Args:
            release: release the lease, so that another operator need not wait for it to expire. Only allowed if no
                write from this operator is still running.
        """
        async with self._turn:  # after a concurrent renewal, the version known here would be outdated
            self._fence.close()
            for running in (self._renewing, self._alarm):
                if running is not None:
                    running.cancel()
            resignation = self._election.resign(self._wall_time())
            self._election = self._election.forget()
            if resignation is not None and release:
                await self._resign(resignation)
            elif resignation is not None:
                log.warning("the lease is left to expire: a write is still running", lease=self.settings.place)

    async def take_turn(self) -> bool:
        """Read the Lease if needed, and take or renew it if it is free. Return whether it is held now."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._turn_seconds):
                    won = await self._try()
            except LOOP_ENDS:
                raise
            except BaseException as error:  # noqa: BLE001 - any error is tried again until the deadline
                self._election = self._election.fail()
                self._note(explain(error))
                return False
            self._note("")
            return won

    async def _resign(self, resignation: Lease) -> None:
        try:
            async with asyncio.timeout(self._turn_seconds):
                await self._write(resignation)
        except (ApiError, TimeoutError) as error:
            log.warning("the lease is left to expire: not released", lease=self.settings.place, error=str(error))
        else:
            log.info("the lease is released", lease=self.settings.place)

    async def _try(self) -> bool:
        if self._election.must_read:
            before = self.holder
            self._election = self._election.observe(await self._read(), self._fence.clock())
            self._log_leader(before)
        if self._election.rival is not None:
            self._fence.lose(f"{self._election.rival} has taken it")
            return False
        started = self._fence.clock()
        claim = self._election.claim(started, self._wall_time())
        if claim is None:
            return False
        self._election = self._election.win(await self._write(claim), started)
        self._fence.open_until(self._election.deadline)
        self._set_alarm()
        return True

    def _log_leader(self, before: str) -> None:
        if before != self.holder and not self._election.is_free(self._fence.clock()):
            log.info("standing by", lease=self.settings.place, leader=self.holder, identity=self.identity)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.retry_seconds)
            await self.take_turn()

    def _set_alarm(self) -> None:
        """Check the fence at its deadline, even if nothing is written then."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(self._fence.seconds_left(), self._ring)

    def _ring(self) -> None:
        if self._fence.seconds_left() > 0:  # the event loop rounds its times
            self._set_alarm()
        else:
            why = self.trouble or "this process was paused or got no CPU time"
            self._fence.lose(f"it was not renewed for {self.settings.renew_seconds:g} s: {why}")

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("the lease cannot be read or written now", lease=self.settings.place, error=trouble)
        elif self.trouble and not trouble:
            log.info("the lease can be read and written again", lease=self.settings.place)
        self.trouble = trouble

    async def _read(self) -> Lease | None:
        try:
            return parse_lease(await self._api.get(self._path(self.settings.name)))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    async def _write(self, lease: Lease) -> Lease:
        name, namespace = self.settings.name, self.settings.namespace
        if lease.version:
            return parse_lease(await self._api.patch(self._path(name), build_lease(lease, name)))
        has_led = self._election.renewal_started is not None
        owner = await find_owner(self._api, namespace, self.settings.deployment, has_led=has_led)
        return parse_lease(await self._api.create(self._path(), build_lease(lease, name, owner)))

    def _path(self, name: str = "") -> str:
        return custom_path(LEASE_API, "leases", self.settings.namespace, name)

    def _wall_time(self) -> str:
        """Return the time, always different from the last one. The API server ignores a write that changes nothing."""
        at = self._wall_clock()
        self._last_time = at if at != self._last_time else at + timedelta(microseconds=1)
        return format_time(self._last_time)

    @property
    def _turn_seconds(self) -> float:
        return self.settings.renew_seconds * TURN_SHARE


def explain(error: BaseException) -> str:
    """Return the message of a failed try; empty if another operator was faster."""
    if isinstance(error, ApiError):
        return "" if error.status == HTTPStatus.CONFLICT else str(error)
    return "the API server did not answer in time" if isinstance(error, TimeoutError) else repr(error)


def build_identity(settings: LeaseSettings) -> str:
    """Return a unique name of this process that says where it runs. A pod's name has no `_`."""
    return f"{settings.pod or socket.gethostname()}_{secrets.token_hex(4)}"
