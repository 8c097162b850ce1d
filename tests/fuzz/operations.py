# Makes random sequences of file system calls from a seed, and prints them the way a C programmer writes them.
import random

O = {"O_WRONLY": 1, "O_RDWR": 2, "O_CREAT": 0o100, "O_EXCL": 0o200, "O_TRUNC": 0o1000, "O_APPEND": 0o2000,
     "O_DIRECTORY": 0o200000, "O_NOFOLLOW": 0o400000, "O_CLOEXEC": 0o2000000, "O_PATH": 0o10000000,
     "O_TMPFILE": 0o20200000, "O_NOATIME": 0o1000000}
AT = {"AT_SYMLINK_NOFOLLOW": 0x100, "AT_REMOVEDIR": 0x200, "AT_SYMLINK_FOLLOW": 0x400, "AT_EMPTY_PATH": 0x1000,
      "AT_EACCESS": 0x200}
RESOLVE = {"RESOLVE_NO_XDEV": 1, "RESOLVE_NO_MAGICLINKS": 2, "RESOLVE_NO_SYMLINKS": 4, "RESOLVE_BENEATH": 8,
           "RESOLVE_IN_ROOT": 16}
NAMES = ["f", "g", "a", "b", "c", "d", "l", "abs", "broken", "empty", "n1", "n2", "n3"]
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


class Generator:
    def __init__(self, seed, is_root):
        self.random = random.Random(seed)
        self.is_root = is_root
        self.alive = {0}
        # Paths and slots that an operation has probably filled: half of the calls should succeed.
        self.filled = ["f", "a", "a/f", "a/b", "a/b/g", "a/b/c", "a/b/c/h", "a/l", "d", "d/f", "d/g", "empty", "l", "abs", "broken"]
        self.opened = ["s0"]

    def one(self, *choices):
        return self.random.choice(choices)

    def likely(self, percent):
        return self.random.randrange(100) < percent

    def path(self):
        dice = self.random.randrange(100)
        if dice < 3:
            return self.one("@null", "@empty", "@n255", "@n256", "@p4095", "@p4096", "/", "//", "..", ".")
        if dice < 50:
            text = self.one(*self.filled)
            return "%/" + text if self.likely(60) else text
        depth = self.random.choices([1, 2, 3, 4], [55, 30, 12, 3])[0]
        parts = [self.one(*NAMES) if self.likely(90) else self.one("..", ".", "..", "missing") for _ in range(depth)]
        text = "/".join(parts)
        if self.likely(5):
            text = text.replace("/", "//", 1)
        if self.likely(7):
            text += self.one("/", "//", "/.", "/..")
        # A walk that leaves the tree would see the host.
        return "%/" + text if self.likely(35) else text

    def slot(self):
        if self.likely(60):
            return self.one(*self.opened)
        return f"s{self.random.randrange(8)}" if self.likely(92) else self.one("-1", "99", "70000", "s90")

    def dirfd(self):
        return "cwd" if self.likely(50) else self.slot()

    def flags(self):
        value = self.one(0, 0, 1, 2, 2)
        for name, percent in [("O_CREAT", 35), ("O_EXCL", 10), ("O_TRUNC", 12), ("O_APPEND", 10), ("O_DIRECTORY", 15),
                              ("O_NOFOLLOW", 12), ("O_CLOEXEC", 20), ("O_PATH", 8), ("O_NOATIME", 2)]:
            if self.likely(percent):
                value |= O[name]
        if self.likely(3):
            value = O["O_TMPFILE"] | self.one(0, 1, 2)
        return oct_c(value)

    # No set-id bits: who may write without losing them depends on the host's user namespace.
    def mode(self):
        return oct_c(self.one(0o644, 0o755, 0o600, 0o700, 0o777, 0o000, 0o444, 0o200, 0o1777))

    def size(self):
        return self.one(0, 1, 3, 10, 100, 4095, 4096, 5000, 8192, 70000, 1 << 20, -1)

    def at_flags(self, *names):
        value = 0
        for name in names:
            if self.likely(30):
                value |= AT[name]
        return value if self.likely(97) else value | 0x40000

    def letter(self):
        return self.one(*"ABCDEFGH")

    def user(self):
        return self.one(0, 0, 1000, 2000) if self.is_root else self.one(-1, 65534)

    def attribute(self):
        return self.one("user.one", "user.two", "user.", "bad")

    def operation(self):
        r, table = self.random, self.table
        name = r.choices(list(table), [weight for weight, _ in table.values()])[0]
        return name, table[name][1](self)

    def remember(self, name, arguments):
        paths = [word for word in arguments if isinstance(word, str) and word.startswith("%/") and len(word) > 2]
        if name in ("open", "openat", "mkdir", "rename", "link", "symlink", "mknod", "renameat2", "linkat") and paths:
            self.filled = (self.filled + [paths[-1][2:]])[-24:]
        if name in ("open", "openat", "openat2", "dup", "reopen"):
            self.opened = (self.opened + [arguments[-1]])[-6:]

    table = {
        "open": (14, lambda g: [g.path(), g.flags(), g.mode(), g.new_slot()]),
        "openat": (9, lambda g: [g.dirfd(), g.path(), g.flags(), g.mode(), g.new_slot()]),
        "openat2": (3, lambda g: [g.dirfd(), g.path(), g.flags(), g.one(2, 4, 8, 16, 0, 12, 24), g.new_slot()]),
        "stat": (5, lambda g: [g.path()]),
        "lstat": (4, lambda g: [g.path()]),
        "fstatat": (4, lambda g: [g.dirfd(), g.path(), g.at_flags("AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH")]),
        "statx": (2, lambda g: [g.dirfd(), g.path(), g.at_flags("AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH")]),
        "access": (3, lambda g: [g.path(), g.one(0, 1, 2, 4, 7, 6, 8)]),
        "faccessat2": (2, lambda g: [g.dirfd(), g.path(), g.one(0, 2, 4), g.at_flags("AT_SYMLINK_NOFOLLOW", "AT_EACCESS")]),
        "readlink": (3, lambda g: [g.path()]),
        "mkdir": (6, lambda g: [g.path(), g.mode()]),
        "mkdirat": (2, lambda g: [g.dirfd(), g.path(), g.mode()]),
        "rmdir": (4, lambda g: [g.path()]),
        "unlink": (5, lambda g: [g.path()]),
        "unlinkat": (3, lambda g: [g.dirfd(), g.path(), g.at_flags("AT_REMOVEDIR")]),
        "rename": (8, lambda g: [g.path(), g.path()]),
        "renameat2": (4, lambda g: [g.dirfd(), g.path(), g.dirfd(), g.path(), g.one(0, 1, 2, 3, 8)]),
        "link": (4, lambda g: [g.path(), g.path()]),
        "linkat": (3, lambda g: [g.dirfd(), g.path(), g.dirfd(), g.path(), g.at_flags("AT_SYMLINK_FOLLOW")]),
        "symlink": (4, lambda g: [g.path(), g.path()]),
        "mknod": (2, lambda g: [g.path(), oct_c(g.one(0o10644, 0o100644, 0o600, 0o10600))]),
        "chmod": (4, lambda g: [g.path(), g.mode()]),
        "chown": (2, lambda g: [g.path(), g.user(), g.user()]),
        "lchown": (1, lambda g: [g.path(), g.user(), g.user()]),
        "truncate": (3, lambda g: [g.path(), g.size()]),
        "utimens": (3, lambda g: [g.dirfd(), g.path(), g.one(1, 77, 5000), g.one(0, 5, UTIME_OMIT, UTIME_NOW, 10**9),
                                  g.one(2, 99, 7000), g.one(0, 9, UTIME_OMIT, UTIME_NOW), g.at_flags("AT_SYMLINK_NOFOLLOW")]),
        "chdir": (3, lambda g: [g.inner_path()]),
        "getcwd": (2, lambda g: [g.one(4096, 4096, 8000, 1, 0)]),
        "setxattr": (2, lambda g: [g.path(), g.attribute(), g.one(0, 3, 5), g.one(0, 0, 1, 2)]),
        "getxattr": (2, lambda g: [g.path(), g.attribute(), g.one(0, 3, 100)]),
        "removexattr": (1, lambda g: [g.path(), g.attribute()]),
        "samefile": (2, lambda g: [g.path(), g.path()]),
        "close": (6, lambda g: [g.slot()]),
        "dup": (2, lambda g: [g.slot(), g.new_slot()]),
        "read": (4, lambda g: [g.slot(), g.one(0, 1, 10, 100, 5000)]),
        "pread": (2, lambda g: [g.slot(), g.one(1, 10, 100), g.one(0, 5, 4096, -1)]),
        "write": (6, lambda g: [g.slot(), g.one(0, 1, 10, 100, 5000), g.letter()]),
        "pwrite": (2, lambda g: [g.slot(), g.one(1, 10), g.one(0, 5, 10000, -1), g.letter()]),
        "lseek": (2, lambda g: [g.slot(), g.one(0, 0, 5, -1, 100000), g.one(0, 0, 1, 2, 7)]),
        "ftruncate": (3, lambda g: [g.slot(), g.size()]),
        "fallocate": (1, lambda g: [g.slot(), g.one(0, 1, 3), g.one(0, 100), g.one(0, 100, 9000)]),
        "fstat": (5, lambda g: [g.slot()]),
        "agree": (3, lambda g: [g.slot(), g.path()]),
        "fchmod": (3, lambda g: [g.slot(), g.mode()]),
        "fchown": (1, lambda g: [g.slot(), g.user(), g.user()]),
        "futimens": (2, lambda g: [g.slot(), g.one(3, 333), g.one(4, 444)]),
        "fchdir": (2, lambda g: [g.slot()]),
        "fsetxattr": (1, lambda g: [g.slot(), g.attribute(), g.one(0, 5), g.one(0, 1, 2)]),
        "fgetxattr": (1, lambda g: [g.slot(), g.attribute(), 100]),
        "flock": (2, lambda g: [g.slot(), g.one(1, 2, 8)]),
        "lock": (2, lambda g: [g.slot(), g.one(0, 1), g.one(0, 1, 2), g.one(0, 5), g.one(0, 10)]),
        "getfl": (2, lambda g: [g.slot()]),
        "list": (5, lambda g: [g.slot()]),
        "copy": (1, lambda g: [g.slot(), g.slot(), g.one(1, 100, 10000)]),
        "sendfile": (1, lambda g: [g.slot(), g.slot(), g.one(1, 100, 10000)]),
        "mapwrite": (2, lambda g: [g.slot()]),
        "fdlink": (2, lambda g: [g.slot()]),
        "reopen": (2, lambda g: [g.slot(), g.flags_without_creation(), g.new_slot()]),
        "umask": (1, lambda g: [oct_c(g.one(0o22, 0, 0o77, 0o27))]),
    }

    def new_slot(self):
        return f"s{self.random.randrange(8)}"

    def inner_path(self):
        return self.path()

    def flags_without_creation(self):
        return oct_c(self.one(0, 1, 2, O["O_RDWR"] | O["O_APPEND"], O["O_PATH"], O["O_DIRECTORY"], 1 | O["O_TRUNC"], O["O_NOFOLLOW"]))

    def sequence(self, count):
        lines = []
        while len(lines) < count:
            worker = self.random.choice(sorted(self.alive)) if self.likely(40) else 0
            dice = self.random.randrange(1000)
            if dice < 30:
                child = self.random.randrange(1, 4)
                if child not in self.alive:
                    self.alive.add(child)
                    lines.append(f"{worker} fork {child}")
            elif dice < 38:
                if worker != 0:
                    self.alive.discard(worker)
                    lines.append(f"{worker} exit")
            elif dice < 60 and len(self.alive) > 1:
                other = self.random.choice(sorted(self.alive))
                lines.append(f"{worker} send {self.slot()} {other}")
                lines.append(f"{other} take {self.new_slot()}")
            elif dice < 75:
                lines.append("0 snapshot")
            elif dice < 100 and self.is_root:
                lines.append(f"{worker} seteuid {self.one(0, 0, 0, 0, 1000, 2000)}")
            else:
                name, arguments = self.operation()
                self.remember(name, arguments)
                lines.append(" ".join([str(worker), name] + [str(argument) for argument in arguments]))
        # A descriptor of something outside the tree would compare the host with itself.
        return [line for line in lines if not leaves_the_tree(line)]


def leaves_the_tree(line):
    for word in line.split()[2:]:
        if word in ("/", "//"):
            return line.split()[1] not in ("stat", "access", "rmdir", "unlink", "mkdir")
    return False


def oct_c(value):
    return "0" if value == 0 else f"0{value:o}"


def flag_words(text, table):
    value, words = int(text, 8) if text.startswith("0") and not text.startswith("0x") else int(text, 0), []
    if table is O:
        words.append("O_RDONLY" if value & 3 == 0 else {1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE"}[value & 3])
        value &= ~3
    for name, bit in sorted(table.items(), key=lambda item: -item[1]):
        if name not in ("O_WRONLY", "O_RDWR", "AT_EACCESS") and value & bit == bit:
            words.append(name)
            value &= ~bit
    if value or not words:
        words.append(hex(value) if value else "0")
    return " | ".join(words)


# The operation as a statement; paths keep their @ and % words.
def as_c(line):
    worker, name, *words = line.split()
    names_of_paths = {"open", "stat", "lstat", "access", "readlink", "mkdir", "rmdir", "unlink", "rename", "link", "symlink",
                      "mknod", "chmod", "chown", "lchown", "truncate", "chdir", "setxattr", "getxattr", "removexattr"}
    result = ""
    if name in ("open", "openat", "openat2", "dup", "reopen", "take"):
        result = words.pop() + " = "
    shown = []
    for index, word in enumerate(words):
        if name in ("open", "openat", "openat2", "reopen") and index == {"open": 1, "reopen": 1}.get(name, 2):
            shown.append(flag_words(word, O))
        elif name in ("fstatat", "statx", "unlinkat", "linkat", "utimens") and index == len(words) - 1:
            shown.append(flag_words(word, AT))
        elif word == "cwd":
            shown.append("AT_FDCWD")
        elif name in names_of_paths and index < (2 if name in ("rename", "link", "symlink") else 1):
            shown.append(f'"{word}"')
        else:
            shown.append(word)
    return f"/* process {worker} */  {result}{name}({', '.join(shown)});"
