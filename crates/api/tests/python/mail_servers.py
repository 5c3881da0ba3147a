"""Mail servers with certificates of an authority made here, and with wrong ones.

Writes the authority's certificate to the file that AUTHORITY names. To any line on its standard input it answers with a line of JSON: the ports, and what
each server has been sent since.
"""
import asyncio
import json
import logging
import os
import ssl
import sys
import warnings

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

# That a client hangs up on a wrong certificate is what the test is about.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")

USER, PASSWORD = b"logmon", b"p@ss word"


class Keeper:
    """Keeps the mails, and whether each came by TLS from who said who they are."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(
            {
                "to": envelope.rcpt_tos,
                "content": envelope.content.decode(),
                "tls": session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
                "user": session.auth_data and session.auth_data.decode(),
            }
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (USER, PASSWORD)
    return AuthResult(success=right, auth_data=data.login)


def context(authority, host):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(made)
    return made


async def main():
    ours, others = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(os.environ["AUTHORITY"])
    right, stranger = context(ours, "127.0.0.1"), context(others, "127.0.0.1")
    other_host = context(ours, "mail.example.com")
    servers = {
        "starttls": (None, {"tls_context": right, "require_starttls": True}),
        "tls": (right, {"auth_require_tls": False}),
        "plain": (None, {"auth_require_tls": False}),
        "starttls of a stranger": (None, {"tls_context": stranger}),
        "tls of a stranger": (stranger, {"auth_require_tls": False}),
        "tls of another host": (other_host, {"auth_require_tls": False}),
    }
    ports, keepers, loop = {}, {}, asyncio.get_running_loop()
    for name, (tls, options) in servers.items():
        keeper = keepers[name] = Keeper()

        def protocol(keeper=keeper, options=options):
            return SMTP(keeper, authenticator=authenticate, hostname="test", loop=loop, **options)

        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
        ports[name] = server.sockets[0].getsockname()[1]
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps({name: {"port": ports[name], "mails": keepers[name].mails} for name in servers}), flush=True)


asyncio.run(main())
