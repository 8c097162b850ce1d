"""Images that lie, and layers that want out: each is refused in words, and nothing outside changes."""
import gzip
import hashlib
import json
import os
import tarfile

from cases import check, equal, main, refused
from image_cases import Store, both_users
from images import (Layout, busybox_layer, digest, directory, docker_archive, entry, hard_link, layer, symlink)


def image_of(folder, *entries, name="image", **options):
    layout = Layout()
    layout.image([busybox_layer(), layer(*entries, **options)])
    return layout.write(os.path.join(folder, name))


def nothing_got_out(folder, secret=b"secret"):
    with open(os.path.join(folder, "outside"), "rb") as file:
        equal(file.read(), secret)
    check(not os.path.exists(os.path.join(folder, "made")), "a file was made outside")


def outside(folder):
    path = os.path.join(folder, "outside")
    with open(path, "wb") as file:
        file.write(b"secret")
    return path


def refuses(folder, entries, *words):
    target = outside(folder)
    for store in both_users(folder):
        image = image_of(folder, *entries, name=hashlib.sha256(repr(words).encode()).hexdigest()[:8])
        refused(store.run(image, "true"), *words)
        store.is_clean()
        equal(store.layers(), [])
    nothing_got_out(folder)
    return target


def test_dot_dot(folder):
    refuses(folder, [entry("../made", b"x")], "..")
    refuses(folder, [entry("bin/../../../../../../../../made", b"x")], "has .. in its name")
    refuses(folder, [entry("a/.."), ], "has .. in its name")


def test_absolute_names_stay_inside(folder):
    target = outside(folder)
    for store in both_users(folder):
        image = image_of(folder, entry(target, b"x"), entry("//made", b"x"), entry("./././/dotted", b"d"))
        store.prints("xxd", image, "--", "cat", target, "/made", "/dotted")
    nothing_got_out(folder)


def test_file_through_a_link(folder):
    refuses(folder, [symlink("way", folder), entry("way/made", b"x")], "way", "no directory")
    refuses(folder, [symlink("way", ".."), directory("way/made")], "no directory")
    refuses(folder, [directory("a"), symlink("a/up", "../.."), symlink("b", "a/up"), entry("b/made", b"x")], "no directory")


def test_link_replaced_by_file(folder):
    target = outside(folder)
    for store in both_users(folder):
        image = image_of(folder, symlink("way", target), entry("way", b"new"), symlink("dir", folder), directory("dir"), entry("dir/made", b"d"))
        store.prints("newd", image, "--", "cat", "/way", "/dir/made")
    nothing_got_out(folder)


def test_hard_links(folder):
    target = outside(folder)
    refuses(folder, [hard_link("stolen", "../" * 12 + target)], "hard link")
    refuses(folder, [hard_link("stolen", target)], "no file of the layer")
    refuses(folder, [symlink("way", folder), hard_link("stolen", "way/outside")], "no file of the layer")
    refuses(folder, [directory("d"), hard_link("stolen", "d")], "no file of the layer")
    refuses(folder, [entry("a", b"x"), hard_link("a", "a")], "itself")
    # A link to a symbolic link is one more name of the link.
    for store in both_users(folder):
        image = image_of(folder, symlink("way", target), hard_link("again", "way"), entry("f", b"1"), hard_link("g", "/f"), name="good")
        store.prints(target + "\n1", image, "--", "sh", "-c", "readlink /again; cat /g")


def test_devices_are_only_shown(folder):
    devices = [entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666), entry("zero", type=tarfile.CHRTYPE),
               entry("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0), entry("fifo", type=tarfile.FIFOTYPE)]
    for store in both_users(folder):
        image = image_of(folder, *devices)
        is_recorded = os.geteuid() != 0 or store.identity
        result = store.run(image, "--", "sh", "-c", "stat -c '%n %F %t:%T' /null /zero /disk; test -p /fifo && echo fifo; cat /null /disk")
        shown = "/null character special file 1:3\n/zero character special file 0:0\n/disk block special file 8:0\n" if is_recorded else ""
        equal(result.stdout, shown + "fifo\n")
        check(result.returncode == 1 and "ermission denied" in result.stderr if is_recorded else True, result.stderr)
        for root, _, names in os.walk(store.path):
            for name in names:
                mode = os.lstat(os.path.join(root, name)).st_mode
                check((mode & 0o170000) not in (0o020000, 0o060000), f"{name} is a device on the host")


def test_duplicates(folder):
    entries = [entry("f", b"1"), entry("f", b"2"), directory("d"), entry("d/x", b"3"), entry("d", b"file now"), entry("e", b""), directory("e"),
               entry("e/y", b"4")]
    for store in both_users(folder):
        store.prints("2file now4", image_of(folder, *entries), "--", "cat", "/f", "/d", "/e/y")


def test_whiteouts(folder):
    refuses(folder, [entry("a/.wh.")], "whiteout of no name")
    refuses(folder, [entry("a/.wh...")], "whiteout of no name")
    refuses(folder, [entry(".wh.dir/made", b"x")], "below a whiteout")


def test_long_names(folder):
    refuses(folder, [entry("n" * 300, b"x")], "longer than 255")
    refuses(folder, [entry("/".join(["d" * 200] * 25), b"x")], "longer than 4095")
    deep = "/".join(["deep"] * 700)
    for store in both_users(folder):
        store.prints("x", image_of(folder, entry(deep, b"x")), "--", "cat", "/" + deep)


def test_names_with_escapes(folder):
    names = ["new\nline", "\x1b[31mred", "umläut", "\udcff\udcfe", "space ", "-rf", "quote'\"\\"]
    for store in both_users(folder):
        image = image_of(folder, directory("names"), *(entry("names/" + name, b"x", uid=0) for name in names))
        result = store.run(image, "--", "sh", "-c", "cd /names && for name in *; do cat -- \"$name\" && echo \"$name\"; done")
        check(all("x" + name + "\n" in result.stdout for name in names), repr(result.stdout) + result.stderr)
    message = store.run(image_of(folder, entry("\x1b[31m/..", b""), name="bad"), "true").stderr
    check("\x1b" not in message and "\\033" in message, message)


def test_huge_size(folder):
    """The header says eight exabytes and the archive ends; or says less than that, with a hole."""
    for size, words in (((1 << 63) - 1, ["overflow"]), (1 << 41, ["huge", "larger than"]), (1 << 39, ["huge", "ends early"])):
        info, _ = entry("huge")
        info.size = size
        data = info.tobuf(tarfile.GNU_FORMAT) + b"x" * 512
        for store in both_users(folder):
            layout = Layout()
            layout.image([busybox_layer(), data])
            refused(store.run(layout.write(os.path.join(folder, "image")), "true"), *words)
            store.is_clean()


def test_sparse_file(folder):
    """PAX format 1.0: a map of the pieces, then the pieces."""
    size = 1 << 35
    pieces = f"2\n0\n512\n{size - 512}\n512\n".encode().ljust(512, b"\0") + b"a" * 512 + b"z" * 512
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes", "GNU.sparse.realsize": str(size)}
    for store in both_users(folder):
        image = image_of(folder, entry("GNUSparseFile.0/holes", pieces, pax_headers=headers))
        store.prints(f"{size}\naz", image, "--", "sh", "-c",
                     f"stat -c %s /holes; busybox dd if=/holes bs=1 count=1 2>/dev/null; busybox dd if=/holes bs=1 count=1 skip={size - 1} 2>/dev/null")
        used = sum(os.lstat(os.path.join(root, name)).st_blocks * 512 for root, _, names in os.walk(store.path) for name in names)
        check(used < 64 << 20, f"the holes take {used} bytes")


def test_attributes_that_are_not_kept(folder):
    """trusted.* and the overlay's own would change what is shown; security.capability and user.* are data."""
    headers = {"SCHILY.xattr.user.kept": "yes", "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y",
               "SCHILY.xattr.user.containers.override_stat": "0:0:07777", "SCHILY.xattr.security.selinux": "x"}
    for store in both_users(folder):
        image = image_of(folder, directory("etc", pax_headers=headers), entry("etc/marked", b"x", pax_headers=headers))
        # The directory below still shows: it is not opaque.
        store.prints("x", image, "--", "sh", "-c", "cat /etc/marked; test -e /etc/passwd")
        found = set()
        for root, folders, names in os.walk(store.path):
            for name in folders + names:
                if not os.path.islink(os.path.join(root, name)):
                    found |= set(os.listxattr(os.path.join(root, name)))
        check("user.kept" in found and found <= {"user.kept", "user.containers.override_stat"}, found)


def test_digests(folder):
    store = Store(folder)
    layers = [busybox_layer()]

    def refused_image(name, *words, change=lambda manifest, config: None, damage=lambda layout: None):
        layout = Layout()
        layout.image(layers, change=change)
        damage(layout)
        refused(store.run(layout.write(os.path.join(folder, name)), "true"), *words)
        equal(store.layers(), [])
        store.is_clean()

    other = digest(b"other")

    def wrong_diff_id(manifest, config):
        config["rootfs"]["diff_ids"][0] = other

    def wrong_count(manifest, config):
        config["rootfs"]["diff_ids"].append(other)

    def no_layer(manifest, config):
        manifest["layers"] = []
        config["rootfs"]["diff_ids"] = []

    def encrypted(manifest, config):
        manifest["layers"][0]["mediaType"] += "+encrypted"

    def sha512(manifest, config):
        manifest["layers"][0]["digest"] = "sha512:" + "0" * 128

    def path_as_digest(manifest, config):
        manifest["layers"][0]["digest"] = "sha256:../../../../etc/passwd"

    def other_bytes(size):
        def damage(layout):
            name = next(key for key, data in layout.blobs.items() if data.startswith(b"\x1f\x8b"))
            layout.blobs[name] = layout.blobs[name] + b"\0" if size else gzip.compress(b"\0" * 1024, mtime=0).ljust(len(layout.blobs[name]), b"\0")
        return damage

    def other_json(word):
        def damage(layout):
            name = next(key for key, data in layout.blobs.items() if data.startswith(b"{") and word in data)
            layout.blobs[name] = layout.blobs[name].replace(word, word.upper())
        return damage

    def missing_blob(layout):
        del layout.blobs[next(key for key, data in layout.blobs.items() if data.startswith(b"\x1f\x8b"))]

    refused_image("diff", "is not the", other, change=wrong_diff_id)
    refused_image("count", "2", change=wrong_count)
    refused_image("none", "no layer", change=no_layer)
    refused_image("encrypted", "encrypted", change=encrypted)
    refused_image("sha512", "no sha256 digest", change=sha512)
    refused_image("path", "no sha256 digest", change=path_as_digest)
    refused_image("size", "descriptor says", damage=other_bytes(1))
    refused_image("bytes", "not what its digest says", damage=other_bytes(0))
    refused_image("config", "not what its digest says", damage=other_json(b"architecture"))
    refused_image("manifest", "not what its digest says", damage=other_json(b"schemaVersion"))
    refused_image("missing", "ENOENT", damage=missing_blob)


def test_damaged_documents(folder):
    store = Store(folder)
    for number, (text, word) in enumerate([(b"", "JSON"), (b"[]", "object"), (b'{"manifests":{}}', "array"), (b'{"manifests":[1]}', "object"),
                                           (b'{"manifests":[{"digest":7}]}', "string"), (b"[" * 100000, "JSON"), (b'{"a":' * 200, "nested"),
                                           (b'{"manifests":"' + b"x" * (5 << 20) + b'"}', "4 MiB")]):
        path = os.path.join(folder, f"image{number}")
        Layout().write(path)
        with open(os.path.join(path, "index.json"), "wb") as file:
            file.write(text)
        result = store.run("oci:" + path, "true")
        equal(result.returncode, 125)
        check(result.stderr.startswith("sandbox: cannot "), result.stderr)
    path = os.path.join(folder, "fifo")
    Layout().write(path)
    os.remove(os.path.join(path, "index.json"))
    os.mkfifo(os.path.join(path, "index.json"))
    refused(store.run("oci:" + path, "true"), "regular file")


def test_layout_with_links_out(folder):
    store = Store(folder)
    layout = Layout()
    layout.image([busybox_layer()])
    image = layout.write(os.path.join(folder, "image"))
    os.rename(os.path.join(folder, "image", "blobs"), os.path.join(folder, "elsewhere"))
    os.symlink("../elsewhere", os.path.join(folder, "image", "blobs"))
    refused(store.run(image, "true"), "EXDEV")


def test_damaged_archives(folder):
    store = Store(folder)
    good = docker_archive(os.path.join(folder, "good.tar"), [busybox_layer()]).split(":", 1)[1]
    with open(good, "rb") as file:
        data = file.read()
    link_loop = layer(symlink("manifest.json", "a"), symlink("a", "b"), symlink("b", "a"))
    for number, damaged in enumerate([b"", b"x" * 1000, data[:5000], data[:-20000], gzip.compress(data)[:50000], link_loop,
                                      layer(entry("manifest.json", b"[{}]")), layer(entry("manifest.json", b"[]")), layer(entry("manifest.json", b"{"))]):
        path = os.path.join(folder, f"{number}.tar")
        with open(path, "wb") as file:
            file.write(damaged)
        for transport in ("docker-archive", "oci-archive"):
            refused(store.run(f"{transport}:{path}", "true"))
    equal(store.layers(), [])


def test_store_of_others_is_refused(folder):
    store = Store(folder)
    os.mkdir(store.path)
    os.chmod(store.path, 0o777)
    layout = Layout()
    layout.image([busybox_layer()])
    refused(store.run(layout.write(os.path.join(folder, "image")), "true"), "others could change")


def test_set_id_bits_stay_in_the_store(folder):
    """An ordinary user's store has no set-ID file at all; root's may be entered by nobody else."""
    for store in both_users(folder):
        image = image_of(folder, entry("bin/su", b"", mode=0o4755))
        store.prints("", image, "true")
        modes = [os.lstat(os.path.join(root, name)).st_mode for root, _, names in os.walk(store.path) for name in names if name == "su"]
        if store.identity or os.geteuid() != 0:
            equal([mode & 0o7000 for mode in modes], [0])
        equal(os.lstat(store.path).st_mode & 0o7777, 0o700)


if __name__ == "__main__":
    main(globals())
