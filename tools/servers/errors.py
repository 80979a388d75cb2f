"""The errors of the development servers; every message says what to do."""


class ServersError(Exception):
    """A server could not be found, started or controlled."""


class MissingDependency(ServersError):
    """Something has to be installed first; the message names the Debian package."""


class ServerFailed(ServersError):
    """A server died, or was not ready in time; the message ends with its log."""


class NotOurServer(ServersError):
    """A server that is given by its URL is not ours to stop, pause or restart."""
