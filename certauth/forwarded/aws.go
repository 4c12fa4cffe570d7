package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// ALB reads the leaf that an AWS Application Load Balancer forwards as percent-encoded PEM
// in X-Amzn-Mtls-Clientcert-Leaf, or the whole chain in X-Amzn-Mtls-Clientcert.
//
// What it proved: possession of the key; in verify mode the chain to the trust store and
// its revocation lists, in passthrough mode nothing more. No header says which mode it
// was. The policy needs an anchor.
//
// What it overwrites: not documented. Mutual TLS must be on for every listener that
// reaches the target group: one without it may let the client's own header through.
//
// What must be configured:
//
//	aws elbv2 modify-listener --listener-arn ... --mutual-authentication Mode=verify,TrustStoreArn=...
//
// and a security group that lets only the load balancer reach this process.
//
// What is refused: literal spaces, a plus sign turned into one, a second block in verify
// mode. The characters + = and / may be escaped or not: AWS documents both.
//
// How to verify before going live: the probes of the package documentation, on every
// listener.
//
// Source: AWS, "Mutual authentication with TLS in Application Load Balancer". Tested
// against documentation and constructed values only.
type ALB struct {
	// From identifies the load balancer, by its subnets. Required.
	From Gate
	// Passthrough reads the whole chain of passthrough mode, leaf first.
	Passthrough bool
	// Header is the name, if you renamed it.
	Header string
}

// Prepare implements [certauth.Source].
func (s ALB) Prepare(env source.Environment) (*source.Reader, error) {
	l := layout{
		preset: "ALB", from: s.From, header: or(s.Header, "X-Amzn-Mtls-Clientcert-Leaf"), codec: one(urlPEM1),
		form: "percent-encoded PEM",
	}
	if s.Passthrough {
		l.header, l.codec = or(s.Header, "X-Amzn-Mtls-Clientcert"), several(decodeURLPEMChain)
	}
	return served(l.prepare(env))
}

// CloudFront reads the leaf as percent-encoded PEM from CloudFront-Viewer-Cert-Pem, which
// Amazon CloudFront sends in its required and optional modes. For passthrough mode, which
// sends RFC 9440 fields, use [RFC9440].
//
// What it proved: possession of the key, and the chain to the trust store in required and
// optional mode. CloudFront-Viewer-Cert-Present says only that there was a certificate, so
// the policy needs an anchor.
//
// What it overwrites: not documented for origins that the client can reach otherwise.
//
// What must be configured: the viewer mTLS headers in the origin request policy, among
// them CloudFront-Viewer-Cert-Present and -Pem, and -Sha256 if Fingerprint is set; and an
// origin that only CloudFront reaches (AWS's prefix list, a secret header).
//
// What is refused: Present other than 1, a fingerprint of another certificate.
//
// How to verify before going live: the probes of the package documentation.
//
// Source: AWS, "Mutual TLS authentication (viewer mTLS)". Tested against documentation and
// constructed values only.
type CloudFront struct {
	// From identifies CloudFront: a SharedSecret as a custom origin header, with
	// addresses as well. Required.
	From Gate
	// Fingerprint demands CloudFront-Viewer-Cert-Sha256 and compares it.
	Fingerprint bool
}

// Prepare implements [certauth.Source].
func (s CloudFront) Prepare(env source.Environment) (*source.Reader, error) {
	l := urlPEM("CloudFront", s.From, "CloudFront-Viewer-Cert-Pem", "CloudFront-Viewer-Cert-Present", "1", "", false)
	if s.Fingerprint {
		l.fingerprint, l.fingerprintHash = "CloudFront-Viewer-Cert-Sha256", HashSHA256
	}
	return served(l.prepare(env))
}
