"""Folders that are made once: each is named by the hash of what it was made from, and complete if there."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
VM = HERE.parent
ROOT = VM.parents[1]
CACHE = pathlib.Path(os.environ.get("GNOMON_VM_CACHE", ROOT / "build/vm"))


def hash_of(*parts):
    """Of texts, and of files and folders by their contents."""
    digest = hashlib.sha256()
    for part in parts:
        files = sorted(p for p in part.rglob("*") if p.is_file()) if isinstance(part, pathlib.Path) and \
            part.is_dir() else [part]
        for file in files:
            digest.update(file.read_bytes() if isinstance(file, pathlib.Path) else str(file).encode())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def made_once(folder):
    """Yields a folder to fill, which becomes `folder` when the block ends well; None if it is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            yield None
            return
        work = pathlib.Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            yield work
            work.chmod(0o755)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
