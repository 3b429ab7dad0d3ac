"""Snapshots taken by a forked child while the market goes on."""

from goldx.hosting.forked import ForkedFile, ForkFailed
from matching.run import snapshots
from matching.run.fold import Fold
from matching.run.snapshots import Snapshot, SnapshotFailed


class ForkedSnapshot(ForkedFile):
    """A snapshot being written: the constructor forks, and the child writes the state as it is at the fork.

    Without ``with_state`` it is a digest.
    """

    def __init__(self, fold: Fold, *, with_state: bool = True) -> None:
        self.position = fold.position
        self.with_state = with_state
        super().__init__(lambda file: file.write(snapshots.encode(snapshots.take(fold, with_state=with_state))))

    async def result(self) -> Snapshot:
        """Wait for the child and return the snapshot. Raises SnapshotFailed."""
        try:
            with await self.file() as file:
                return snapshots.decode(file.read())
        except ForkFailed as error:
            raise SnapshotFailed(str(error)) from error
