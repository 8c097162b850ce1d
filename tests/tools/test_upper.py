"""`sandbox diff` and `sandbox apply` on upper directories made by hand."""
import json
import os
import stat
import subprocess

from cases import check, equal, main, need_root, refused, sandbox


def write(path, text="", mode=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    if mode is not None:
        os.chmod(path, mode)


def read(path):
    with open(path) as file:
        return file.read()


def trees(folder):
    upper, lower = folder + "/upper", folder + "/lower"
    os.mkdir(upper)
    os.mkdir(lower)
    return upper, lower


def whiteout(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def diff(upper, lower):
    result = sandbox("diff", "--rootfs", lower, upper)
    equal((result.returncode, result.stderr), (0, ""))
    return result.stdout.splitlines()


def apply(upper, lower, *arguments):
    return sandbox("apply", "--yes", "--rootfs", lower, upper, *arguments)


def applied(upper, lower, *arguments):
    result = apply(upper, lower, *arguments)
    equal((result.returncode, result.stderr), (0, ""))
    return result.stdout.splitlines()


def test_added_modified_deleted(folder):
    upper, lower = trees(folder)
    write(lower + "/etc/hosts", "old")
    write(lower + "/etc/gone", "x")
    write(upper + "/etc/hosts", "new")
    write(upper + "/opt/tool/bin", "tool")
    whiteout(upper + "/etc/gone")
    os.utime(upper + "/etc", ns=(0, 0))
    equal(diff(upper, lower), ["D /etc/gone", "M /etc/hosts", "A /opt", "A /opt/tool", "A /opt/tool/bin"])
    equal(applied(upper, lower)[-1], "5 changes made")
    equal(read(lower + "/etc/hosts"), "new")
    equal(read(lower + "/opt/tool/bin"), "tool")
    check(not os.path.exists(lower + "/etc/gone"))
    equal(sorted(os.listdir(lower + "/etc")), ["hosts"])
    os.remove(upper + "/etc/gone")
    equal(diff(upper, lower), [])


def test_directory_of_a_kept_run(folder):
    kept, lower = trees(folder)
    os.mkdir(kept + "/work")
    write(kept + "/upper/etc/new", "x")
    equal(diff(kept, lower), ["A /etc", "A /etc/new"])
    applied(kept, lower)
    equal(read(lower + "/etc/new"), "x")
    # With anything else in it, it is a layer itself.
    write(kept + "/other")
    equal(diff(kept, lower)[0], "A /other")


def test_kept_run_to_the_end(folder):
    """run --keep, diff and apply on a root of their own, as a person uses them."""
    kept, home = folder + "/kept", folder + "/home"
    write(home + "/old", "old")
    write(home + "/gone", "gone")
    script = 'cd "$1" && echo new > old && rm gone && mkdir bin && echo tool > bin/tool && chmod 755 bin/tool'
    result = sandbox("run", "--keep", kept, "--", "sh", "-c", script, "sh", home)
    equal(result.returncode, 0)
    check(f"sandbox diff {kept}" in result.stderr, result.stderr)
    equal((read(home + "/old"), sorted(os.listdir(home))), ("old", ["gone", "old"]))
    changes = [line for line in diff(kept, "/") if folder in line]
    equal(changes, [f"A {home}/bin", f"A {home}/bin/tool", f"D {home}/gone", f"M {home}/old"])
    applied(kept, "/", home)
    equal((read(home + "/old"), sorted(os.listdir(home))), ("new\n", ["bin", "old"]))
    equal(stat.S_IMODE(os.stat(home + "/bin/tool").st_mode), 0o755)


def test_copied_up_but_unchanged_is_no_change(folder):
    upper, lower = trees(folder)
    write(lower + "/a/same", "text")
    os.makedirs(upper + "/a")
    subprocess.run(["cp", "-p", lower + "/a/same", upper + "/a/same"], check=True)
    equal(diff(upper, lower), [])
    os.utime(upper + "/a/same", ns=(1, 1))
    equal(diff(upper, lower), ["M /a/same"])


def test_what_differs(folder):
    upper, lower = trees(folder)
    for name in ("content", "mode", "times", "attributes", "type"):
        write(lower + "/" + name, "text", 0o644)
        subprocess.run(["cp", "-p", f"{lower}/{name}", f"{upper}/{name}"], check=True)
    status = os.stat(upper + "/content")
    write(upper + "/content", "TEXT")
    os.utime(upper + "/content", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.chmod(upper + "/mode", 0o4755)
    os.utime(upper + "/times", ns=(1, 1))
    os.setxattr(upper + "/attributes", "user.x", b"1")
    os.remove(upper + "/type")
    os.symlink("content", upper + "/type")
    result = sandbox("diff", "--format", "json", "--rootfs", lower, upper)
    changes = {change["path"]: change for change in json.loads(result.stdout)}
    for name in ("content", "mode", "times", "attributes", "type"):
        equal((name, changes["/" + name]["differs"]), (name, [name]))
    equal(changes["/mode"]["mode"], "4755")
    equal(changes["/mode"]["risks"], ["setuid"])
    equal(changes["/type"]["type"], "symlink")


def test_whiteouts_in_each_form(folder):
    need_root()
    upper, lower = trees(folder)
    for name in ("device", "named", "marked", "kept"):
        write(f"{lower}/d/{name}", name)
    whiteout(upper + "/d/device")
    write(upper + "/d/.wh.named")
    write(upper + "/d/marked")
    os.setxattr(upper + "/d/marked", "trusted.overlay.whiteout", b"y")
    whiteout(upper + "/d/was-never-there")
    equal(diff(upper, lower), ["D /d/device", "D /d/marked", "D /d/named"])
    applied(upper, lower)
    equal(os.listdir(lower + "/d"), ["kept"])


def test_opaque_directories(folder):
    upper, lower = trees(folder)
    forms = [("user", lambda path: os.setxattr(path, "user.overlay.opaque", b"y")),
             ("aufs", lambda path: write(path + "/.wh..wh..opq"))]
    if os.geteuid() == 0:
        forms.append(("trusted", lambda path: os.setxattr(path, "trusted.overlay.opaque", b"y")))
    for name, mark in forms:
        write(f"{lower}/{name}/old")
        write(f"{lower}/{name}/both", "old")
        write(f"{upper}/{name}/both", "new")
        write(f"{upper}/{name}/fresh")
        mark(f"{upper}/{name}")
    expected = []
    for name in sorted(name for name, mark in forms):
        expected += [f"M /{name}/both", f"A /{name}/fresh", f"D /{name}/old"]
    equal(diff(upper, lower), expected)
    applied(upper, lower)
    for name, mark in forms:
        equal(sorted(os.listdir(f"{lower}/{name}")), ["both", "fresh"])
        check("user.overlay.opaque" not in os.listxattr(f"{lower}/{name}"))


def test_unsupported_overlay_features(folder):
    upper, lower = trees(folder)
    write(upper + "/file")
    os.setxattr(upper + "/file", "user.overlay.metacopy", b"")
    refused(sandbox("diff", "--rootfs", lower, upper), "metacopy")
    os.remove(upper + "/file")
    os.mkdir(upper + "/moved")
    os.setxattr(upper + "/moved", "user.overlay.redirect", b"/old")
    refused(sandbox("diff", "--rootfs", lower, upper), "redirect_dir")


def test_metadata_is_kept(folder):
    need_root()
    upper, lower = trees(folder)
    write(upper + "/d/file", "x", 0o640)
    os.setxattr(upper + "/d/file", "user.note", b"yes")
    os.setxattr(upper + "/d/file", "user.overlay.origin", b"no")
    os.chown(upper + "/d/file", 1234, 5678)
    os.chmod(upper + "/d/file", 0o6751)
    os.utime(upper + "/d/file", ns=(1_000_000_001, 2_000_000_002))
    os.symlink("/nowhere", upper + "/d/link")
    os.chown(upper + "/d/link", 12, 34, follow_symlinks=False)
    os.utime(upper + "/d/link", ns=(5, 6), follow_symlinks=False)
    os.mkfifo(upper + "/d/pipe", 0o600)
    os.chmod(upper + "/d", 0o1555)
    os.chown(upper + "/d", 77, 88)
    os.utime(upper + "/d", ns=(7, 8))
    applied(upper, lower)
    for name in ("d", "d/file", "d/link", "d/pipe"):
        source, target = os.lstat(f"{upper}/{name}"), os.lstat(f"{lower}/{name}")
        for field in ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_size"):
            if (name, field) != ("d", "st_size"):
                equal((name, field, getattr(target, field)), (name, field, getattr(source, field)))
    equal(os.listxattr(lower + "/d/file"), ["user.note"])
    equal(os.readlink(lower + "/d/link"), "/nowhere")


def test_hard_links_and_holes(folder):
    upper, lower = trees(folder)
    write(upper + "/a", "text")
    os.mkdir(upper + "/sub")
    os.link(upper + "/a", upper + "/sub/b")
    with open(upper + "/sparse", "wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"island")
    applied(upper, lower)
    equal(os.stat(lower + "/a").st_ino, os.stat(lower + "/sub/b").st_ino)
    equal(os.stat(lower + "/sparse").st_size, 64 << 20)
    check(os.stat(lower + "/sparse").st_blocks * 512 < 1 << 20)
    check(subprocess.run(["cmp", upper + "/sparse", lower + "/sparse"]).returncode == 0)
    # Once more: both names are now one file, which must not leave anything behind.
    os.utime(upper + "/a", ns=(1, 1))
    applied(upper, lower)
    equal(sorted(os.listdir(lower)), ["a", "sparse", "sub"])
    equal(os.listdir(lower + "/sub"), ["b"])


def test_types_replace_each_other(folder):
    upper, lower = trees(folder)
    write(lower + "/was-directory/deep/file")
    write(upper + "/was-directory", "file now")
    write(lower + "/was-file")
    write(upper + "/was-file/child", "directory now")
    equal(diff(upper, lower), ["M /was-directory", "M /was-file", "A /was-file/child"])
    applied(upper, lower)
    equal(read(lower + "/was-directory"), "file now")
    equal(read(lower + "/was-file/child"), "directory now")


def test_deleted_directory_is_one_change(folder):
    need_root()
    upper, lower = trees(folder)
    write(lower + "/d/e/f")
    os.symlink("/etc", lower + "/d/link")
    whiteout(upper + "/d")
    equal(diff(upper, lower), ["D /d"])
    applied(upper, lower)
    equal(os.listdir(lower), [])
    check(os.path.exists("/etc/passwd"))


def test_choice_of_paths(folder):
    upper, lower = trees(folder)
    for name in ("a/b/one", "a/b/two", "a/c/three", "other"):
        write(f"{upper}/{name}", name)
    equal(applied(upper, lower, "/a/b/one"), ["A /a", "A /a/b", "A /a/b/one", "3 changes made"])
    equal(diff(upper, lower), ["A /a/b/two", "A /a/c", "A /a/c/three", "A /other"])
    applied(upper, lower, "a/c/", "other")
    equal(diff(upper, lower), ["A /a/b/two"])
    refused(apply(upper, lower, "/never"), "/never", "nothing was changed there")
    refused(apply(upper, lower, "/a/b/tw"), "nothing was changed there")


def test_dry_run_and_question(folder):
    upper, lower = trees(folder)
    write(upper + "/tool", "x", 0o4755)
    result = sandbox("apply", "--dry-run", "--rootfs", lower, upper)
    equal((result.returncode, result.stdout), (0, "A /tool  [setuid]\n"))
    refused(sandbox("apply", "--rootfs", lower, upper), "no terminal", "--yes")
    equal(os.listdir(lower), [])


def test_link_on_the_way_is_not_followed(folder):
    upper, lower = trees(folder)
    victim = folder + "/victim"
    os.mkdir(victim)
    write(lower + "/d/sub/old")
    write(upper + "/d/sub/evil", "x")
    # The host's directory turns into a link after the diff; here, before apply reads it.
    os.rename(lower + "/d/sub", lower + "/d/moved")
    os.symlink(victim, lower + "/d/sub")
    applied(upper, lower)   # the upper has a directory there: the link is replaced, not followed
    equal(os.listdir(victim), [])
    equal(os.listdir(lower + "/d/sub"), ["evil"])


def test_link_race_is_not_followed(folder):
    """A racing process swaps a directory of the target and a link; nothing may reach the link's target."""
    upper, lower = trees(folder)
    victim = folder + "/victim"
    os.mkdir(victim)
    os.mkdir(lower + "/d")
    for number in range(100):
        write(f"{upper}/d/{number:03}", "evil")
    os.symlink(victim, lower + "/link")
    swapper = subprocess.Popen(["python3", "-c", """
import ctypes, sys
libc = ctypes.CDLL(None)
while True:
    libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)
""", lower + "/d", lower + "/link"])
    try:
        for _ in range(10):
            result = apply(upper, lower)
            check(result.returncode in (0, 125), result)
            if result.returncode:
                check("changes are made" in result.stderr or "ELOOP" in result.stderr or "ENOTDIR" in result.stderr
                      or "cannot" in result.stderr, result.stderr)
    finally:
        swapper.kill()
        swapper.wait()
    equal(os.listdir(victim), [])


def test_failure_says_what_was_done(folder):
    upper, lower = trees(folder)
    if os.geteuid() == 0:
        tree = folder
        for name in (folder, upper, lower):
            os.chmod(name, 0o777)
    for name in ("a", "b/deep", "c"):
        write(f"{upper}/{name}", name)
    os.mkdir(lower + "/b")
    os.chmod(lower + "/b", 0o555)
    os.chmod(upper + "/b", 0o555)
    identity = dict(user=65534, group=65534, extra_groups=[]) if os.geteuid() == 0 else {}
    if identity:
        for path in (upper, lower):
            subprocess.run(["chown", "-R", "65534:65534", path], check=True)
    result = sandbox("apply", "--yes", "--rootfs", lower, upper, **identity)
    refused(result, "apply /b/deep", "(EACCES)", "1 of 3 changes are made")
    equal(result.stdout, "A /a\n")
    check(not os.path.exists(lower + "/c"))


def test_names_are_harmless_for_a_terminal(folder):
    upper, lower = trees(folder)
    write(upper + "/red\x1b[31m\n", "x")
    with open(os.fsencode(upper) + b"/latin\xe9", "w"):
        pass
    equal(diff(upper, lower), ["A /latin\\351", "A /red\\033[31m\\012"])
    json.loads(sandbox("diff", "--format", "json", "--rootfs", lower, upper).stdout)
    applied(upper, lower)
    equal(sorted(os.listdir(os.fsencode(lower))), [b"latin\xe9", b"red\x1b[31m\n"])


def test_missing_directories(folder):
    upper, lower = trees(folder)
    refused(sandbox("diff", folder + "/none"), "(ENOENT)", "--keep")
    refused(sandbox("diff", "--rootfs", folder + "/none", upper), "(ENOENT)", "--rootfs")
    refused(sandbox("diff"), "no directory")
    refused(sandbox("apply"), "no directory")
    equal(sandbox("apply", "--rootfs", lower, upper).stdout, "nothing to apply\n")


if __name__ == "__main__":
    main(globals())
