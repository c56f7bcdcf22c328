"""Archives of the kind that the kernel unpacks at its start ("newc")."""
import os
import stat


class Writer:
    def __init__(self, file):
        self.file = file
        self.inode = 0
        self.folders = set()

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        path = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self.file.write(header + path + b"\0" * (-(len(header) + len(path)) % 4))
        self.file.write(data + b"\0" * (-len(data) % 4))

    def folder(self, name, mode=0o755):
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | mode)

    def data(self, name, data, mode=0o644):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def path(self, path, name):
        """A file, a link or a folder with all in it."""
        if path.is_symlink():
            self.link(name, os.readlink(path))
        elif path.is_dir():
            self.folder(name)
            for child in sorted(path.iterdir()):
                self.path(child, f"{name}/{child.name}" if name else child.name)
        elif path.is_file():
            self.data(name, path.read_bytes(), stat.S_IMODE(path.stat().st_mode))

    def end(self):
        self._entry("TRAILER!!!", 0)
        self.file.write(b"\0" * (-self.file.tell() % 512))
