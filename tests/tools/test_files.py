"""What is installed beside the command agrees with it: the manual, the completions, the list of packages."""
import os
import re
import shutil
import subprocess

from cases import Skip, check, equal, main, sandbox

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def text_of(path):
    with open(os.path.join(REPOSITORY, path)) as file:
        return file.read()


def options_of(verb):
    return set(re.findall(r"(?<=[ ,])--[a-z-]+", sandbox(verb, "--help").stdout)) - {"--help"}


def test_manual_has_every_option():
    manual = text_of("tools/sandbox.1")
    documented = {"-" + name for name in re.findall(r"Fl (-[a-z-]+)", manual)}
    for verb in ("run", "trace", "diff", "apply", "info", "ps", "stats", "top", "update"):
        check(options_of(verb), f"no option of {verb} was found")
        equal(options_of(verb) - documented, set())


def test_manual_has_every_secret():
    manual = text_of("tools/sandbox.1")
    source = re.sub(r"//.*", "", text_of("tools/secrets.cpp"))
    tables = re.findall(r"(?:k\w+Secrets\[\]|kNames) = \{(.*?)\};", source, re.DOTALL)
    equal(len(tables), 4)
    secrets = re.findall(r'"([^"]+)"', "".join(tables))
    check(len(secrets) > 50, secrets)
    words = set(re.split(r"[\s,]+", manual))
    equal([secret for secret in secrets if secret not in words], [])


def test_manual_is_well_formed():
    if not shutil.which("mandoc"):
        raise Skip("mandoc is not installed")
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(REPOSITORY, "tools/sandbox.1")],
                            capture_output=True, text=True)
    equal(result.stdout, "")


def test_completions_have_every_option():
    for path in ("tools/completion/sandbox.bash", "tools/completion/_sandbox"):
        words = set(re.findall(r"--[a-z-]+", text_of(path)))
        for verb in ("run", "trace", "diff", "apply", "info", "ps", "stats", "top", "update"):
            equal((path, options_of(verb) - words), (path, set()))


def complete(*words):
    script = (f"source {REPOSITORY}/tools/completion/sandbox.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
              "_sandbox 2> /dev/null; printf '%s\\n' \"${COMPREPLY[@]}\"")
    result = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True)
    return result.stdout.split()


def test_bash_completion():
    equal(complete("sandbox", "ru"), ["run"])
    equal(complete("sandbox", "run", "--ro"), ["--rootfs", "--ro-bind"])
    equal(complete("sandbox", "run", "--net", "h"), ["host"])
    equal(complete("sandbox", "run", "--net", "=", "h"), ["host"])
    equal(complete("sandbox", "apply", "--y"), ["--yes"])
    check("bash" in complete("sandbox", "run", "bas"))


def test_scripts_are_clean():
    if not shutil.which("shellcheck"):
        raise Skip("shellcheck is not installed")
    scripts = ["tools/install-packages", "tools/quickstart", "tools/test", "tools/try-fresh-clone", ".ci/run",
               "tools/completion/sandbox.bash"]
    result = subprocess.run(["shellcheck", "--shell=bash", *scripts], cwd=REPOSITORY, capture_output=True, text=True)
    equal(result.stdout, "")


def test_packages():
    result = subprocess.run([REPOSITORY + "/tools/install-packages", "nothing"], capture_output=True, text=True)
    equal(result.returncode, 1)
    check("build" in result.stderr and "try: " in result.stderr, result.stderr)
    packages = re.findall(r"^[a-z0-9][^\s]*$", text_of("tools/packages.txt"), re.MULTILINE)
    for name in ("g++", "cmake", "libunwind-dev", "libcapstone-dev", "catch2"):
        check(name in packages, name)


def test_install(folder):
    if not os.path.exists(os.path.dirname(os.environ.get("SANDBOX_BUILD", "")) or "/nonexistent"):
        raise Skip("SANDBOX_BUILD does not name the build directory")
    build = os.environ["SANDBOX_BUILD"]
    result = subprocess.run(["cmake", "--install", build, "--prefix", folder], capture_output=True, text=True)
    equal((result.returncode, result.stderr), (0, ""))
    for path in ("bin/sandbox", "share/man/man1/sandbox.1", "share/bash-completion/completions/sandbox",
                 "share/zsh/site-functions/_sandbox"):
        check(os.path.isfile(os.path.join(folder, path)), path)
    equal(subprocess.run([folder + "/bin/sandbox", "--version"], capture_output=True).returncode, 0)


if __name__ == "__main__":
    main(globals())
