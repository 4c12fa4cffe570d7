"""What two verifiers of Python make of chains.

Reads a chain a line, as JSON with base64 of DER: {"root", "others", "leaf", "time"}. Writes
a line for each: {"pyhanko", "cryptography"}, empty where that verifier accepts, else why not.
"""

import asyncio
import base64
import datetime
import json
import sys

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.x509 import verification
from pyhanko_certvalidator import CertificateValidator, ValidationContext


def text(error):
    return f"{type(error).__name__}: {error}"[:300]


async def pyhanko(root, others, leaf, moment):
    try:
        parsed = [asn1.Certificate.load(der) for der in [root, leaf, *others]]
        context = ValidationContext(
            trust_roots=parsed[:1], other_certs=parsed[2:], moment=moment, allow_fetching=False,
            revocation_mode="soft-fail", time_tolerance=datetime.timedelta(0),
        )
        validator = CertificateValidator(parsed[1], intermediate_certs=parsed[2:], validation_context=context)
        await validator.async_validate_usage(set(), {"client_auth"}, extended_optional=True)
    except Exception as error:  # whatever it is, it is no acceptance
        return text(error)
    return ""


def check_basic(policy, certificate, extension):
    if not extension.ca:
        raise ValueError("not a CA")


def check_usage(policy, certificate, extension):
    if extension is not None and not extension.key_cert_sign:
        raise ValueError("may not sign certificates")


def check_purpose(policy, certificate, extension):
    wanted = (x509.ExtendedKeyUsageOID.CLIENT_AUTH, x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if extension is not None and not any(usage in wanted for usage in extension):
        raise ValueError("not for clientAuth")


def policies():
    either = verification.Criticality.AGNOSTIC
    anything = verification.ExtensionPolicy.permit_all()
    purpose = anything.may_be_present(x509.ExtendedKeyUsage, either, check_purpose)
    ca = purpose.require_present(x509.BasicConstraints, either, check_basic)
    return ca.may_be_present(x509.KeyUsage, either, check_usage), purpose


def cryptography(root, others, leaf, moment):
    try:
        ca, end = policies()
        store = verification.Store([x509.load_der_x509_certificate(root)])
        builder = verification.PolicyBuilder().store(store).time(moment.replace(tzinfo=None)).max_chain_depth(9)
        verifier = builder.extension_policies(ca_policy=ca, ee_policy=end).build_client_verifier()
        verifier.verify(x509.load_der_x509_certificate(leaf), [x509.load_der_x509_certificate(der) for der in others])
    except Exception as error:  # whatever it is, it is no acceptance
        return text(error)
    return ""


async def main():
    for line in sys.stdin:
        chain = json.loads(line)
        root, leaf = base64.b64decode(chain["root"]), base64.b64decode(chain["leaf"])
        others = [base64.b64decode(one) for one in chain["others"] or []]
        moment = datetime.datetime.fromisoformat(chain["time"])
        said = {"pyhanko": await pyhanko(root, others, leaf, moment), "cryptography": cryptography(root, others, leaf, moment)}
        print(json.dumps(said), flush=True)


asyncio.run(main())
