package policyfile

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"reflect"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// A union is an interface of the Go values. The document selects one kind by the only member of an
// object: {"chain": {...}}. Decoder, encoder and schema use the same table.
type union struct {
	name  string // in the schema
	kinds []kind
}

// kind is one implementation of such an interface.
type kind struct {
	name   string       // in the document
	goName string       // the Go type whose documentation describes it
	shape  reflect.Type // of the member's value
	// build makes the Go value from the member's value; nil uses it unchanged.
	build func(d *decoder, n *node, body any) any
	// take is the reverse of build. It returns false for a value of another kind. If it is nil, the
	// type decides.
	take func(e *encoder, value any) (body any, ok bool)
}

// plain is a kind whose Go value has the same content as the document.
func plain[T any](name string) kind {
	t := reflect.TypeFor[T]()
	return kind{name: name, goName: goNameOf(t), shape: t}
}

// made is a kind whose Go value is the result of a function of S. The arguments of such a function
// cannot be read back, so take is written by hand.
func made[S any](name, goName string, build func(d *decoder, n *node, body S) any) kind {
	return kind{
		name: name, goName: goName, shape: reflect.TypeFor[S](),
		build: func(d *decoder, n *node, body any) any {
			if own, ok := body.(S); ok {
				return build(d, n, own)
			}
			return nil
		},
		take: func(*encoder, any) (any, bool) { return nil, false },
	}
}

// Bodies of kinds that are made by functions.
type (
	nothing    struct{}
	notRevoked struct{ Checker string }
	peersBody  []string

	proxyProtocolBody struct {
		Balancer  forwarded.Gate
		FrontEnds []string
	}
	secretBody struct {
		Header string
		Values []secret
	}
)

// secret is a reference to a shared secret; the document never holds one itself.
type secret interface{ secret() }

type (
	secretEnv  string
	secretFile string
)

func (secretEnv) secret()  {}
func (secretFile) secret() {}

var unions = map[reflect.Type]*union{
	reflect.TypeFor[certauth.Policy](): {name: "policy", kinds: []kind{
		plain[certauth.All]("all"),
		plain[certauth.Any]("any"),
		plain[certauth.Not]("not"),
		plain[certauth.Named]("named"),
		plain[certauth.Matched]("matched"),
		plain[certauth.AcceptServerAuth]("acceptServerAuth"),
		plain[certauth.Chain]("chain"),
		plain[certauth.Thumbprints]("thumbprints"),
		plain[certauth.ThumbprintsSHA1]("thumbprintsSHA1"),
		plain[certauth.PublicKeys]("publicKeys"),
		pinsFrom("thumbprintsFrom", "ThumbprintsFrom", certauth.ThumbprintsFrom),
		pinsFrom("thumbprintsSHA1From", "ThumbprintsSHA1From", certauth.ThumbprintsSHA1From),
		pinsFrom("publicKeysFrom", "PublicKeysFrom", certauth.PublicKeysFrom),
		certificateSet,
		plain[certauth.IssuedBy]("issuedBy"),
		plain[certauth.IssuerName]("issuerName"),
		plain[certauth.Subject]("subject"),
		plain[certauth.CommonNames]("commonNames"),
		plain[certauth.Organizations]("organizations"),
		plain[certauth.OrganizationalUnits]("organizationalUnits"),
		plain[certauth.DNSNames]("dnsNames"),
		plain[certauth.URIs]("uris"),
		plain[certauth.SPIFFEIDs]("spiffeIDs"),
		plain[certauth.Emails]("emails"),
		plain[certauth.IPs]("ips"),
		plain[certauth.UPNs]("upns"),
		plain[certauth.Extension]("extension"),
		plain[certauth.Validity]("validity"),
		plain[certauth.Keys]("keys"),
		plain[certauth.Denied]("denied"),
		{
			name: "notRevoked", goName: "certauth.NotRevoked", shape: reflect.TypeFor[notRevoked](),
			build: func(d *decoder, n *node, body any) any {
				if own, ok := body.(notRevoked); ok {
					return d.notRevoked(n, own)
				}
				return nil
			},
			take: func(e *encoder, value any) (any, bool) {
				p, ok := value.(certauth.NotRevoked)
				if own, stands := p.Checker.(*standIn); stands {
					return notRevoked{Checker: own.name}, ok
				}
				name := e.nameOf(p.Checker)
				return notRevoked{Checker: name}, ok && name != ""
			},
		},
	}},
	reflect.TypeFor[certauth.CertSource](): {name: "certificates", kinds: []kind{
		plain[certauth.PEMFile]("pemFile"),
		plain[certauth.CertFile]("certFile"),
		plain[certauth.CertDir]("certDir"),
		plain[certauth.Env]("env"),
		plain[certauth.PEM]("pem"),
		certificateSet,
		{
			name: "insecureSystemRoots", goName: "certauth.InsecureSystemRoots", shape: reflect.TypeFor[nothing](),
			build: func(*decoder, *node, any) any { return certauth.InsecureSystemRoots() },
			take: func(_ *encoder, value any) (any, bool) {
				return nothing{}, reflect.TypeOf(value) == reflect.TypeOf(certauth.InsecureSystemRoots())
			},
		},
	}},
	reflect.TypeFor[certauth.PinSource](): {name: "pins", kinds: []kind{
		plain[certauth.PinFile]("file"),
		plain[certauth.Env]("env"),
	}},
	reflect.TypeFor[certauth.Source](): {name: "source", kinds: []kind{
		plain[certauth.TLS]("tls"),
		plain[forwarded.AppService]("appService"),
		plain[forwarded.ApplicationGateway]("applicationGateway"),
		plain[forwarded.APIManagement]("apiManagement"),
		plain[forwarded.FrontDoor]("frontDoor"),
		plain[forwarded.ContainerApps]("containerApps"),
		plain[forwarded.Nginx]("nginx"),
		plain[forwarded.IngressNginx]("ingressNginx"),
		plain[forwarded.HAProxy]("haproxy"),
		plain[forwarded.Apache]("apache"),
		plain[forwarded.Caddy]("caddy"),
		plain[forwarded.Traefik]("traefik"),
		plain[forwarded.Envoy]("envoy"),
		plain[forwarded.RFC9440]("rfc9440"),
		plain[forwarded.ALB]("alb"),
		plain[forwarded.CloudFront]("cloudFront"),
		plain[forwarded.GoogleLB]("googleLB"),
		plain[forwarded.Cloudflare]("cloudflare"),
		plain[forwarded.Kong]("kong"),
		plain[forwarded.CloudFoundry]("cloudFoundry"),
		plain[forwarded.Header]("header"),
	}},
	reflect.TypeFor[forwarded.Gate](): {name: "gate", kinds: []kind{
		made("peers", "forwarded.Peers", func(_ *decoder, _ *node, body peersBody) any { return forwarded.Peers(body...) }),
		made("unixSocket", "forwarded.UnixSocket", func(*decoder, *node, nothing) any { return forwarded.UnixSocket() }),
		made("proxyProtocol", "forwarded.ProxyProtocol", func(_ *decoder, _ *node, body proxyProtocolBody) any {
			return forwarded.ProxyProtocol(body.Balancer, body.FrontEnds...)
		}),
		made("proxyCertificate", "forwarded.ProxyCertificate", func(_ *decoder, _ *node, body policyBody) any {
			return forwarded.ProxyCertificate(body.Policy)
		}),
		made("appServiceCertificate", "forwarded.AppServiceCertificate", func(_ *decoder, _ *node, body policyBody) any {
			return forwarded.AppServiceCertificate(body.Policy)
		}),
		made("sharedSecret", "forwarded.SharedSecret", func(d *decoder, n *node, body secretBody) any {
			return forwarded.SharedSecret(body.Header, d.secrets(n, body.Values)...)
		}),
		made("everyGate", "forwarded.EveryGate", func(_ *decoder, _ *node, body gatesBody) any { return forwarded.EveryGate(body...) }),
		made("anyGate", "forwarded.AnyGate", func(_ *decoder, _ *node, body gatesBody) any { return forwarded.AnyGate(body...) }),
		made("insecureRemoteAddr", "forwarded.InsecureRemoteAddr", func(_ *decoder, _ *node, body peersBody) any {
			return forwarded.InsecureRemoteAddr(body...)
		}),
		made("insecureAnyPeer", "forwarded.InsecureAnyPeer", func(*decoder, *node, nothing) any { return forwarded.InsecureAnyPeer() }),
	}},
	reflect.TypeFor[secret](): {name: "secret", kinds: []kind{
		plain[secretEnv]("env"),
		plain[secretFile]("file"),
	}},
}

type (
	policyBody struct{ Policy certauth.Policy }
	gatesBody  []forwarded.Gate
)

// certificateSet is read once, together with the document; other sources are reloaded.
var certificateSet = kind{
	name: "certificates", goName: "certauth.Certificates", shape: reflect.TypeFor[certauth.CertSource](),
	build: func(d *decoder, n *node, body any) any {
		from, ok := body.(certauth.CertSource)
		if !ok {
			return nil
		}
		return certauth.Certificates(d.certificates(n, from)...)
	},
	take: func(_ *encoder, value any) (any, bool) {
		set, ok := value.(interface{ List() []*x509.Certificate })
		if !ok {
			return nil, false
		}
		return certauth.PEM(pemOf(set.List())), true
	},
}

func pinsFrom(name, goName string, policy func(certauth.PinSource) certauth.Policy) kind {
	return kind{
		name: name, goName: "certauth." + goName, shape: reflect.TypeFor[certauth.PinSource](),
		build: func(_ *decoder, _ *node, body any) any {
			source, ok := body.(certauth.PinSource)
			if !ok {
				return nil
			}
			return policy(source)
		},
		take: func(_ *encoder, value any) (any, bool) {
			from, ok := value.(interface {
				Reference() (name string, source certauth.PinSource)
			})
			if !ok {
				return nil, false
			}
			kind, source := from.Reference()
			return source, kind == goName
		},
	}
}

// omitted lists the fields that a document does not contain, with the reason.
var omitted = map[string]string{
	"certauth.Config.Source":          "stands in the document by itself",
	"certauth.Config.Policy":          "stands in the document by itself",
	"certauth.Config.Deny":            "code",
	"certauth.Config.Logger":          "code",
	"certauth.Config.Observe":         "code",
	"certauth.Config.Now":             "code",
	"revocation.Config.Fetcher":       "code",
	"revocation.Config.Store":         "code",
	"revocation.Config.Now":           "code",
	"revocation.Config.Logger":        "code",
	"revocation.Config.Observe":       "code",
	"fetch.HTTPOptions.Resolver":      "code",
	"fetch.HTTPOptions.RootCAs":       "a pool cannot be written down; the system's roots, or a Fetcher in code",
	"evidence.VerifyOptions.Now":      "the Checker sets it",
	"evidence.VerifyOptions.Nonce":    "the Checker sets it",
	"evidence.VerifyOptions.Previous": "the Checker sets it",

	"evidence.VerifyOptions.TrustedResponders": "the Checker sets it, from Responders",
}

// required lists the fields without which the value is meaningless.
var required = map[string][]string{
	"policyfile.content":           {"Source", "Policy"},
	"certauth.Named":               {"Name", "Policy"},
	"certauth.Not":                 {"Policy"},
	"certauth.AcceptServerAuth":    {"Reason", "Policy"},
	"certauth.Chain":               {"Roots"},
	"certauth.Extension":           {"OID"},
	"certauth.IssuerSerial":        {"Issuer", "Serial"},
	"certauth.Exclusion":           {"Path", "Reason", "Control"},
	"forwarded.ApplicationGateway": {"From"},
	"forwarded.APIManagement":      {"From"},
	"forwarded.FrontDoor":          {"From", "ProfileID", "Format"},
	"forwarded.ContainerApps":      {"From"},
	"forwarded.Nginx":              {"From"},
	"forwarded.IngressNginx":       {"From"},
	"forwarded.HAProxy":            {"From"},
	"forwarded.Apache":             {"From"},
	"forwarded.Caddy":              {"From"},
	"forwarded.Traefik":            {"From"},
	"forwarded.Envoy":              {"From"},
	"forwarded.RFC9440":            {"From"},
	"forwarded.ALB":                {"From"},
	"forwarded.CloudFront":         {"From"},
	"forwarded.GoogleLB":           {"From"},
	"forwarded.Cloudflare":         {"From"},
	"forwarded.Kong":               {"From"},
	"forwarded.CloudFoundry":       {"From"},
	"forwarded.Header":             {"From", "Name", "Format"},
	"forwarded.Flag":               {"Header"},
	"revocation.Responder":         {"URL"},
	"policyfile.proxyProtocolBody": {"Balancer", "FrontEnds"},
	"policyfile.policyBody":        {"Policy"},
	"policyfile.secretBody":        {"Header", "Values"},
	"policyfile.notRevoked":        {"Checker"},
	"policyfile.Case":              {"Name", "At", "Expect"},
}

// files lists the text fields that name a file or a directory. Relative names are relative to the
// document.
var files = map[string]bool{"revocation.List.File": true, "revocation.List.Dir": true}

// mayBeEmpty lists the lists that are meaningful when they are empty.
var mayBeEmpty = map[string]bool{"policyfile.Case.Roles": true}

// enums are the enumerations. The first word is the default.
var enums = map[reflect.Type][]word{
	reflect.TypeFor[forwarded.Format](): words("base64DER", forwarded.FormatBase64DER, "base64DERList", forwarded.FormatBase64DERList,
		"urlPEM", forwarded.FormatURLPEM, "urlPEMChain", forwarded.FormatURLPEMChain, "spacedPEM", forwarded.FormatSpacedPEM,
		"byteSequence", forwarded.FormatByteSequence),
	reflect.TypeFor[forwarded.ChainFormat](): words("byteSequenceList", forwarded.ChainByteSequenceList,
		"base64Concatenated", forwarded.ChainBase64Concatenated, "base64Numbered", forwarded.ChainBase64Numbered,
		"spacedPEMNumbered", forwarded.ChainSpacedPEMNumbered),
	reflect.TypeFor[forwarded.Hash]():            words("sha1", forwarded.HashSHA1, "sha256", forwarded.HashSHA256),
	reflect.TypeFor[x509.PublicKeyAlgorithm]():   append(words("RSA", x509.RSA, "ECDSA", x509.ECDSA, "Ed25519", x509.Ed25519), newAlgorithms...),
	reflect.TypeFor[revocation.Mode]():           words("hardFail", revocation.HardFail, "softFail", revocation.SoftFail),
	reflect.TypeFor[revocation.Scope]():          words("chainExceptAnchor", revocation.ChainExceptAnchor, "leafOnly", revocation.LeafOnly),
	reflect.TypeFor[revocation.Sources]():        words("preferOCSP", revocation.PreferOCSP, "preferCRL", revocation.PreferCRL, "ocspOnly", revocation.OCSPOnly, "crlOnly", revocation.CRLOnly),
	reflect.TypeFor[crypto.Hash]():               words("sha1", crypto.SHA1, "sha256", crypto.SHA256),
	reflect.TypeFor[revocation.NonceMode]():      words("off", revocation.NonceOff, "send", revocation.NonceSend, "require", revocation.NonceRequire),
	reflect.TypeFor[certauth.RevocationStatus](): words("good", certauth.RevocationGood, "revoked", certauth.RevocationRevoked, "unknown", certauth.RevocationUnknown, "unavailable", certauth.RevocationUnavailable),
	reflect.TypeFor[certauth.Outcome]():          expectations(),
}

// word is one value of an enumeration.
type word struct {
	name  string
	value any
}

func words(pairs ...any) []word {
	var list []word
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, word{fmt.Sprint(pairs[i]), pairs[i+1]})
	}
	return list
}

// expectations returns the words that a [Case] can expect: an outcome, or the reason of a refusal.
func expectations() []word {
	list := []word{
		{string(certauth.OutcomeAccepted), certauth.OutcomeAccepted},
		{string(certauth.OutcomeAnonymous), certauth.OutcomeAnonymous},
		{string(certauth.OutcomeExcluded), certauth.OutcomeExcluded},
	}
	for _, reason := range reasons {
		list = append(list, word{string(reason), certauth.Outcome(reason)})
	}
	return list
}

var reasons = []certauth.Reason{
	certauth.ReasonCertificateMissing, certauth.ReasonCertificateMalformed, certauth.ReasonSourceUntrusted,
	certauth.ReasonFrontEndUnverified, certauth.ReasonChainUntrusted, certauth.ReasonPinMismatch,
	certauth.ReasonCertificateExpired, certauth.ReasonCertificateNotYetValid, certauth.ReasonCertificateIsCA,
	certauth.ReasonUsageNotAllowed, certauth.ReasonCertificateRevoked, certauth.ReasonRevocationUnknown,
	certauth.ReasonRevocationUnavailable, certauth.ReasonIssuerNotAllowed, certauth.ReasonNameNotAllowed,
	certauth.ReasonExtensionNotAllowed, certauth.ReasonKeyNotAllowed, certauth.ReasonLifetimeNotAllowed,
	certauth.ReasonCertificateDenied, certauth.ReasonPolicyRefused, certauth.ReasonNotConfigured,
	certauth.ReasonOverloaded, certauth.ReasonRequestCanceled, certauth.ReasonInternalError,
}
