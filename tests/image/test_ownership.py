"""Owners, modes and devices that one id of the host cannot hold: kept in records, shown by stat, checked by the sentry."""
import os
import subprocess
import tarfile

from cases import Skip, check, equal, main
from image_cases import NOBODY, Store
from images import Layout, busybox_layer, directory, entry, layer, symlink

PLATFORMS = ("ptrace", "notify")


def store_of_user(folder):
    return Store(folder, NOBODY if os.geteuid() == 0 else None)


def image_of(folder, *entries, **options):
    layout = Layout()
    layout.image([busybox_layer(), layer(*entries)], **options)
    return layout.write(os.path.join(folder, "image"))


FILES = (entry("su", b"x", mode=0o4755), entry("mail", b"x", mode=0o2640, gid=8), entry("shadow", b"x", mode=0, uid=0, gid=42),
         directory("web", uid=33, gid=33, mode=0o2750), entry("web/page", b"p", uid=33, gid=33, mode=0o640), symlink("link", "su"))


def test_layers_show_their_owners(folder):
    store, image = store_of_user(folder), image_of(folder, *FILES)
    for where in ([], ["--keep", "kept"]):
        store.prints("0:0 4755 /su\n0:8 2640 /mail\n0:42 0 /shadow\n33:33 2750 /web\n33:33 640 /web/page\n1000:1001 755 /home/fred\n", image, *where,
                     "--", "stat", "-c", "%u:%g %a %n", "/su", "/mail", "/shadow", "/web", "/web/page", "/home/fred")


def test_changes_are_shown_and_kept(folder):
    store, image = store_of_user(folder), image_of(folder, *FILES)
    change = ("echo n > /new; chown 12:34 /new /su; chmod 6711 /new; chown 33 /tmp; chown -h 5:6 /link; mkdir -m 700 /mine; chown 7:8 /mine; "
              "mknod /null c 1 3; mknod /disk b 8 1; chmod 600 /disk; rm /mail; cat /web/page >> /web/page2; mknod /pipe p; chown 9:9 /pipe; "
              "stat -c '%u:%g %a %F %n' /new /su /tmp /mine /null /disk /web/page2; stat -c %t:%T /null /disk")
    expected = ("12:34 6711 regular file /new\n12:34 755 regular file /su\n33:0 1777 directory /tmp\n7:8 700 directory /mine\n"
                "0:0 644 character special file /null\n0:0 600 block special file /disk\n0:33 644 regular file /web/page2\n1:3\n8:1\n")
    for platform in PLATFORMS:
        store.prints(expected, image, "--platform", platform, "--", "sh", "-c", change)
    store.prints(expected, image, "--keep", "kept", "--", "sh", "-c", change)
    again = "stat -c '%u:%g %a %F %n' /new /su /tmp /mine /null /disk /web/page2; stat -c %t:%T /null /disk; test -e /mail || echo gone; cat /web/page2"
    store.prints(expected + "gone\np", image, "--overlay", "kept", "--", "sh", "-c", again)


def test_links_pipes_and_sockets_have_owners(folder):
    """On a disk they can hold no record: there the owner lasts as long as the run."""
    store, image = store_of_user(folder), image_of(folder, *FILES)
    make = "import socket; socket.socket(socket.AF_UNIX).bind('/socket')"
    script = (f"umask 0; chown -h 5:6 /link; mknod /pipe p; chown 9:9 /pipe; /usr/bin/python3 -c \"{make}\"; chown 7:8 /socket; chmod 600 /socket; "
              "stat -c '%u:%g %a' /link /pipe /socket; rm /pipe; mknod /pipe p; stat -c %u:%g /pipe")
    if not os.path.exists("/usr/bin/python3"):
        raise Skip("needs /usr/bin/python3")
    for place in ([], ["--keep", "kept"]):
        store.prints("5:6 777\n9:9 666\n7:8 600\n0:0\n", image, *place, "--ro-bind", "/usr", "--ro-bind", "/lib", "--ro-bind", "/lib64",
                     "--", "sh", "-c", script)


def test_capabilities_follow_users(folder):
    """What /proc, capget(2) and prctl(2) say of a task agree, and a program that gave up root has none."""
    store, image = store_of_user(folder), image_of(folder, *FILES)
    if not os.path.exists("/usr/bin/python3"):
        raise Skip("needs /usr/bin/python3")
    script = ("import ctypes, os, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n"
              "def get():\n    header, data = struct.pack('Ii', 0x20080522, 0), ctypes.create_string_buffer(24)\n"
              "    assert libc.capget(header, data) == 0\n    words = struct.unpack('6I', data)\n    return [words[i] | words[i + 3] << 32 for i in range(3)]\n"
              "def shown():\n    lines = dict(line.split(':') for line in open('/proc/self/status') if line.startswith('Cap'))\n"
              "    return [int(lines['Cap' + name], 16) for name in ('Eff', 'Prm', 'Inh')]\n"
              "def is_same():\n    return get() == shown()\n"
              "print(is_same(), get()[0] != 0)\n"
              "libc.prctl(8, 1, 0, 0, 0)\nos.setresuid(33, 33, 33)\nprint(is_same(), get()[0], get()[1] != 0)\n"
              "kept = struct.pack('6I', 1 << 7, 1 << 7, 0, 0, 0, 0)\n"
              "print(libc.capset(struct.pack('Ii', 0x20080522, 0), kept), is_same(), get() == [1 << 7, 1 << 7, 0])\n"
              "os.setresuid(34, 34, 34)\nprint(is_same(), os.getuid(), libc.capset(struct.pack('Ii', 0x20080522, 0), struct.pack('6I', 3, 3, 3, 0, 0, 0)))\n"
              "os.execl('/bin/grep', 'grep', '-E', '^Cap(Prm|Eff)', '/proc/self/status')\n")
    for platform in PLATFORMS:
        store.prints("True True\nTrue 0 True\n0 True True\nTrue 34 -1\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n", image,
                     "--platform", platform, "--ro-bind", "/usr", "--ro-bind", "/lib", "--ro-bind", "/lib64", "--", "/usr/bin/python3", "-uc", script)


def test_records_stay_unseen(folder):
    store, image = store_of_user(folder), image_of(folder, *FILES)
    script = ("import os\nos.chown('/new', 1, 2)\nprint(os.listxattr('/new'), os.listxattr('/su'))\n"
              "for name in ('user.containers.override_stat', 'security.sandbox.override_stat'):\n"
              "    for call in (lambda: os.getxattr('/su', name), lambda: os.setxattr('/new', name, b'0:0:04777')):\n"
              "        try:\n            print(call())\n        except OSError as error:\n            print(error.errno)\n")
    if not os.path.exists("/usr/bin/python3"):
        raise Skip("needs /usr/bin/python3")
    result = store.run(image, "--ro-bind", "/usr", "--ro-bind", "/lib", "--ro-bind", "/lib64", "--", "sh", "-c",
                       f"touch /new; /usr/bin/python3 -c \"{script}\"")
    equal(result.stdout, "[] []\n61\n1\n61\n1\n")


def test_hosts_files_stay_the_callers(folder):
    """No set-ID bit, no device and no other owner on the host's disk, whatever is done inside."""
    store, image = store_of_user(folder), image_of(folder, *FILES)
    result = store.run(image, "--keep", "kept", "--", "sh", "-c",
                       "touch /a; chmod 6777 /a; chown 1:2 /a; mknod /b b 8 0; chmod 4755 /bin/busybox")
    equal(result.returncode, 0)
    owner = os.stat(store.data).st_uid
    for root, folders, names in os.walk(store.data):
        for name in folders + names:
            status = os.lstat(os.path.join(root, name))
            kind = status.st_mode & 0o170000
            is_whiteout = kind == 0o020000 and status.st_rdev == 0
            check(status.st_uid == owner and (is_whiteout or kind not in (0o020000, 0o060000)), name)
            check(kind == 0o120000 or not status.st_mode & 0o6000, name)


def test_permission_follows_shown_owners(folder):
    store, image = store_of_user(folder), image_of(folder, *FILES, entry("secret", b"s", mode=0o600), config={"User": "fred"})
    for platform in PLATFORMS:
        def run(script):
            return store.run(image, "--platform", platform, "--", "sh", "-c", script)
        equal(run("id -u; id -g; id -G; cat /secret || echo no; echo x > /home/fred/mine && stat -c %u:%g /home/fred/mine; "
                  "touch /new || echo no; chown 0 /home/fred/mine || echo no; ls /web || echo no").stdout,
              "1000\n1001\n1001\nno\n1000:1001\nno\nno\nno\n".replace("1001\n1001\n", "1001\n1001 10\n"))


def test_root_becomes_another_user(folder):
    store, image = store_of_user(folder), image_of(folder, *FILES)
    script = ("import os\nos.setgroups([33, 4])\nos.setresgid(33, 33, 33)\nos.setresuid(33, 33, 33)\n"
              "print(os.getresuid(), os.getresgid(), sorted(os.getgroups()))\n"
              "for call in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: open('/web/page').read(), lambda: open('/shadow')):\n"
              "    try:\n        print(call())\n    except OSError as error:\n        print(error.errno)\n"
              "print([line.split() for line in open('/proc/self/status') if line[:4] in ('Uid:', 'Gid:')], os.stat('/proc/self').st_uid)\n"
              "import subprocess\nprint(subprocess.run(['/bin/id', '-u'], capture_output=True).stdout)\n")
    expected = ("(33, 33, 33) (33, 33, 33) [4, 33]\n1\n1\n1\np\n13\n"
                "[['Uid:', '33', '33', '33', '33'], ['Gid:', '33', '33', '33', '33']] 33\nb'33\\n'\n")
    if not os.path.exists("/usr/bin/python3"):
        raise Skip("needs /usr/bin/python3")
    for platform in PLATFORMS:
        store.prints(expected, image, "--platform", platform, "--ro-bind", "/usr", "--ro-bind", "/lib", "--ro-bind", "/lib64", "--",
                     "/usr/bin/python3", "-c", script)


def test_volume_keeps_owners(folder):
    store, image = store_of_user(folder), image_of(folder)
    volume = os.path.join(store.data, "volume")
    store.sandbox("run", "--image", image, "true")
    os.mkdir(volume)
    if store.identity:
        os.chown(volume, NOBODY, NOBODY)
    store.prints("", image, "--bind", volume + ":/data", "--", "sh", "-c", "chown 26:26 /data; chmod 700 /data; echo v > /data/file; chown 26:26 /data/file")
    store.prints("26:26 700\n26:26 644\n", image, "--bind", volume + ":/data", "--", "stat", "-c", "%u:%g %a", "/data", "/data/file")


if __name__ == "__main__":
    main(globals())
