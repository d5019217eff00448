"""The ssh door's program, `python -m paas.doors.ssh`: ssh_server without its ballast."""

import sys

if __name__ == "__main__":
    # paramiko imports invoke for `Match exec` in a client's configuration: 3 MB, 40 ms, no use.
    sys.modules["invoke"] = None  # type: ignore[assignment] # import then says ImportError
    from paas.doors.ssh_server import main

    main(sys.argv[1:])
