"""Telling the other side which blocks are here: at first, as they come and go, and when asked."""

from __future__ import annotations

from holdfast.hypercore import messages as wire
from holdfast.hypercore.claims import WANT_BATCH, Claims
from holdfast.hypercore.log import Log
from holdfast.hypercore.port import ChannelPort, say
from holdfast.hypercore.remote import Remote

PAGE = 32768
"""Blocks in one bitfield message."""

LAST_BLOCKS = 256
"""News this close to the end is told unasked: live readers wait there (as in JavaScript)."""

MAX_WANTS = 512
"""Wants remembered of one peer; with more it hears everything (the JavaScript limit)."""


class Telling:
    """What one peer hears about our blocks.

    A reader that fetches a long log would drown its other peers in news: in the middle of the log
    only those are told who asked about these blocks. A peer that we give no blocks hears only when
    we have all that it has itself: so the one who shares learns that a copy is complete, and nobody
    asks for what would be refused (JavaScript counts refusals, and then stops talking to us).
    """

    __slots__ = (
        "_claims",
        "_complete",
        "_log",
        "_port",
        "_quiet",
        "_remote",
        "_wants",
        "_wants_all",
    )

    def __init__(
        self, log: Log, port: ChannelPort, remote: Remote, claims: Claims, *, quiet: bool = False
    ) -> None:
        """``quiet``: the peer gets no blocks from us, until `speak`."""
        self._quiet = quiet
        self._log = log
        self._port = port
        self._remote = remote
        self._claims = claims
        self._complete = (-1, -1)
        self._wants: set[tuple[int, int]] = set()
        self._wants_all = False

    def begin(self) -> None:
        """The channel is open: say what is here from the beginning without a gap."""
        if self._contiguous and not self._quiet:
            self._tell_contiguous()

    def speak(self) -> None:
        """The peer gets blocks from now on: tell it of them, and what it has asked about before."""
        self._quiet = False
        self.begin()
        for start, length in sorted(self._wants):
            self._answer(wire.Want(start, length))

    def heard(self) -> None:
        """The peer has said what it holds: it may be all that we hold."""
        shared = self._log.shared
        if not self._quiet or not shared.length or self._contiguous != shared.length:
            return
        if self._complete != (shared.fork, shared.length) and self._known(0, shared.length):
            self._tell_contiguous()

    def tell(self, start: int, count: int, dropped: bool) -> None:
        """Blocks came or went here."""
        if self._quiet and not (dropped and self._complete != (-1, -1)):
            self.heard()
        elif dropped:
            self._complete = (-1, -1)
            say(self._port, wire.Range(True, start, count))
            return
        shared = self._log.shared
        if self._contiguous == shared.length:
            # Once for each length even to who has it all: so a writer learns of complete copies.
            if self._complete != (shared.fork, shared.length):
                self._tell_contiguous()
        elif self._wanted(start, start + count) and not self._known(start, start + count):
            say(self._port, wire.Range(False, start, count))

    def _known(self, start: int, end: int) -> bool:
        """Whether the peer holds these blocks itself. Claims of another fork are about others."""
        same = self._remote.fork == self._log.shared.fork
        return same and self._claims.has_all(start, end)

    def _wanted(self, start: int, end: int) -> bool:
        if self._wants_all or start + LAST_BLOCKS >= self._log.shared.length:
            return True
        return any(at < end and start < at + length for at, length in self._wants)

    @property
    def _contiguous(self) -> int:
        return min(self._log.contiguous_length, self._log.shared.length)

    def _tell_contiguous(self) -> None:
        shared, contiguous = self._log.shared, self._contiguous
        if contiguous == shared.length:
            self._complete = (shared.fork, shared.length)
        say(self._port, wire.Range(False, 0, contiguous))

    def on_want(self, want: wire.Want) -> None:
        """The peer asks about a range; it is answered now and told of news until `on_unwant`."""
        if len(self._wants) < MAX_WANTS:
            self._wants.add((want.start, want.length))
        else:
            self._wants_all = True
        if not self._quiet:
            self._answer(want)

    def _answer(self, want: wire.Want) -> None:
        contiguous, length = self._contiguous, self._log.shared.length
        covered = want.start + want.length < contiguous or contiguous == length
        if covered or (want.any and want.start < contiguous):
            self._tell_contiguous()
        else:
            self._tell_bitfield(want.start, min(want.start + min(want.length, WANT_BATCH), length))

    def on_unwant(self, unwant: wire.Want) -> None:
        """The peer has heard enough about a range."""
        self._wants.discard((unwant.start, unwant.length))

    def _tell_bitfield(self, start: int, end: int) -> None:
        """The pages from ``start`` to ``end`` in which anything is here."""
        bits = self._log.bitfield
        for page in range(start // PAGE, (end + PAGE - 1) // PAGE):
            if bits.count(page * PAGE, (page + 1) * PAGE):
                say(self._port, wire.BitfieldMessage(page * PAGE, bits.page(page)))
