"""Finding out which process is the leader: from its lock to its session to the process itself."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from jobqueue.store.maintenance import LEADER_LOCK
from tests.chaos.servers import DATABASE, Server

HOLDER = f"""
SELECT activity.client_port
FROM pg_locks AS held
JOIN pg_database AS database ON database.oid = held.database AND database.datname = '{DATABASE}'
JOIN pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
  AND held.classid = ({LEADER_LOCK}::bigint >> 32)::integer::oid
  AND held.objid = ({LEADER_LOCK}::bigint & 4294967295)::oid
"""
INODE_COLUMN = 9


async def leader_port(server: Server) -> int | None:
    """Give the port from which the leader is connected to `server`; None: there is none."""
    rows = await server.rows(HOLDER)
    return rows[0][0] if rows else None


def owner(port: int, pids: Collection[int]) -> int | None:
    """Give which of `pids` has the socket with the local port `port`; None: none of them."""
    sockets = {
        f"socket:[{columns[INODE_COLUMN]}]"
        for columns in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if int(columns[1].rpartition(":")[2], 16) == port
    }
    for pid in pids:
        if sockets & _open_files(pid):
            return pid
    return None


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(link.readlink()))
    except OSError:  # it has ended, or closed one
        pass
    return found
