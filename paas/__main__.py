"""`paas ...` on the host. Everything but the service's own verbs is handed over to the daemon."""

import sys

OWN = ("start", "stop", "status", "serve", "setup", "doctor")


def main() -> int:
    """Run what was typed; return the exit status."""
    verb, args = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if verb in OWN:
        from paas import service  # noqa: PLC0415 - a verb for the daemon must not wait for this

        return service.run(verb, args)
    if verb == "door":
        from paas.doors import forced_command  # noqa: PLC0415 - as above

        return forced_command.main(args)
    from paas.doors import local  # noqa: PLC0415 - as above

    return local.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
