"""Bugs in the choice of the build of the compiled modules, and in building."""

from tests.planted_bugs.bug import Bug

MODULE = "compiled.py"

BUGS = (
    Bug(
        "a build is used with other sources",
        MODULE,
        "digest.update(source.read_bytes())",
        "digest.update(source.name.encode())",
    ),
    Bug("a build of another Python is used", MODULE, 'f"{sys.version} {self.modules}"', 'f"{self.modules}"'),
    Bug("a build of other modules is used", MODULE, 'f"{sys.version} {self.modules}"', 'f"{sys.version}"'),
    Bug("the ground floor does not belong to a build", MODULE, 'sorted(GROUND.rglob("*.py"))', "()"),
    Bug(
        "what is compiled along does not belong to a build",
        MODULE,
        "for part in self.parts for module in part.modules}",
        "for part in (self,) for module in part.modules}",
    ),
    Bug("the ground floor's folders do not belong to a build", MODULE, 'GROUND.rglob("*.py")', 'GROUND.glob("*.py")'),
    Bug("any choice is allowed", MODULE, 'if choice not in ("", "interpreted", "compiled"):', 'if choice == "none":'),
    Bug(
        "a build that is demanded may be missing",
        MODULE,
        'if choice == "compiled" and not self.built:',
        'if choice == "compiled" and self.built:',
    ),
    Bug(
        "what is to be interpreted is compiled",
        MODULE,
        'return choice != "interpreted" and self.built',
        "return self.built",
    ),
    Bug(
        "a build is only used on demand",
        MODULE,
        'return choice != "interpreted" and self.built',
        'return choice == "compiled" and self.built',
    ),
    Bug(
        "the library of a build is not found",
        MODULE,
        "        sys.path.append(str(self.folder))",
        "        str(self.folder)",
    ),
    Bug(
        "the modules of a build are looked for beside it",
        MODULE,
        "return [str(self.folder / self.package / folder)]",
        "return [str(self.folder / folder)]",
    ),
    Bug("older builds stay", MODULE, "            if older != work:\n", "            if older == target:\n"),
    Bug("a failed build is no error", MODULE, "        if done.returncode:\n", "        if done.returncode < 0:\n"),
)
