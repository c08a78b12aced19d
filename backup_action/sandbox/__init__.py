"""Stand-ins for the token service of GitHub, for STS, OSS and DingTalk, on loopback. Imports none of the program."""
