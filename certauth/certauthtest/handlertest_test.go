package certauthtest_test

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

const profileID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

// sources are the presets of package forwarded for the kit's front ends, in their default
// configuration, reading chain and fingerprint if they can.
var sources = map[string]func(from forwarded.Gate) certauth.Source{
	"APIManagement":   func(from forwarded.Gate) certauth.Source { return forwarded.APIManagement{From: from} },
	"ALB":             func(from forwarded.Gate) certauth.Source { return forwarded.ALB{From: from} },
	"ALB/passthrough": func(from forwarded.Gate) certauth.Source { return forwarded.ALB{From: from, Passthrough: true} },
	"Apache": func(from forwarded.Gate) certauth.Source {
		return forwarded.Apache{From: from, ChainHeader: "SSL_CLIENT_CERT_CHAIN_"}
	},
	"AppService": func(from forwarded.Gate) certauth.Source {
		return forwarded.AppService{From: from, InsecureOutsideAppService: true}
	},
	"ApplicationGateway": func(from forwarded.Gate) certauth.Source {
		return forwarded.ApplicationGateway{From: from, FingerprintHeader: "X-Client-Certificate-Fingerprint"}
	},
	"ApplicationGateway/passthrough": func(from forwarded.Gate) certauth.Source {
		return forwarded.ApplicationGateway{From: from, Passthrough: true, FingerprintHeader: "X-Client-Certificate-Fingerprint"}
	},
	"Caddy": func(from forwarded.Gate) certauth.Source {
		return forwarded.Caddy{From: from, FingerprintHeader: "X-Client-Fingerprint"}
	},
	"Caddy/RFC9440": func(from forwarded.Gate) certauth.Source {
		return forwarded.Caddy{From: from, Format: forwarded.FormatByteSequence, FingerprintHeader: "X-Client-Fingerprint"}
	},
	"CloudFoundry":  func(from forwarded.Gate) certauth.Source { return forwarded.CloudFoundry{From: from} },
	"CloudFront":    func(from forwarded.Gate) certauth.Source { return forwarded.CloudFront{From: from} },
	"Cloudflare":    func(from forwarded.Gate) certauth.Source { return forwarded.Cloudflare{From: from} },
	"ContainerApps": func(from forwarded.Gate) certauth.Source { return forwarded.ContainerApps{From: from} },
	"Envoy":         func(from forwarded.Gate) certauth.Source { return forwarded.Envoy{From: from} },
	"Envoy/JSON":    func(from forwarded.Gate) certauth.Source { return forwarded.Envoy{From: from, JSON: true} },
	"FrontDoor": func(from forwarded.Gate) certauth.Source {
		return forwarded.FrontDoor{From: from, ProfileID: profileID, Format: forwarded.FormatBase64DER}
	},
	"GoogleLB": func(from forwarded.Gate) certauth.Source { return forwarded.GoogleLB{From: from} },
	"HAProxy": func(from forwarded.Gate) certauth.Source {
		return forwarded.HAProxy{From: from, ChainHeader: "X-SSL-Chain-Der"}
	},
	"HAProxy/RFC9440": func(from forwarded.Gate) certauth.Source {
		return forwarded.HAProxy{From: from, Header: "Client-Cert", Format: forwarded.FormatByteSequence}
	},
	"HAProxy/numbered": func(from forwarded.Gate) certauth.Source {
		return forwarded.HAProxy{From: from, ChainHeader: "X-SSL-Chain", ChainNumbered: true}
	},
	"IngressNginx": func(from forwarded.Gate) certauth.Source { return forwarded.IngressNginx{From: from} },
	"Kong": func(from forwarded.Gate) certauth.Source {
		return forwarded.Kong{From: from, FingerprintHeader: "X-Client-Cert-Fingerprint"}
	},
	"Nginx": func(from forwarded.Gate) certauth.Source {
		return forwarded.Nginx{From: from, FingerprintHeader: "X-Client-Fingerprint"}
	},
	"RFC9440":       func(from forwarded.Gate) certauth.Source { return forwarded.RFC9440{From: from} },
	"RFC9440/chain": func(from forwarded.Gate) certauth.Source { return forwarded.RFC9440{From: from, Chain: true} },
	"Traefik":       func(from forwarded.Gate) certauth.Source { return forwarded.Traefik{From: from} },
}

// partner is a CA below a root, with a client.
type partner struct {
	root, issuing *certauthtest.CA
	client, other *certauthtest.Certificate
}

// newPartner issues a client whose DER needs padding in base64, because rows about padding would
// otherwise test nothing. The length depends on the signature.
func newPartner(t *testing.T) partner {
	t.Helper()
	p := partner{root: certauthtest.NewCA(t, "Partner Root")}
	p.issuing = p.root.NewIntermediate(t, "Partner Issuing")
	p.other = p.issuing.Issue(t, "billing", certauthtest.DNS("orders.partner.example"))
	for range 100 {
		p.client = p.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
		if text := p.client.Base64(); strings.HasSuffix(text, "=") && strings.ContainsAny(text, "+") && strings.ContainsAny(text, "/") {
			return p
		}
	}
	require.Fail(t, "none of 100 certificates needs padding")
	return p
}

func (p partner) policy() certauth.Policy {
	return certauth.All{
		certauth.Chain{Roots: certauth.Certificates(p.root.Certificate), Intermediates: certauth.Certificates(p.issuing.Certificate)},
		certauth.DNSNames{"orders.partner.example"},
	}
}

// test returns the table's configuration for the service below.
func (p partner) test(frontEnd string) certauthtest.HandlerTest {
	test := certauthtest.HandlerTest{
		FrontEnd: certauthtest.FrontEnd{Name: frontEnd}, Client: p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing,
		Path: "/orders", Exempt: "/health", Chain: true, Fingerprint: true,
	}
	if frontEnd == "FrontDoor" {
		test.Secret = http.Header{"X-Azure-FDID": {profileID}}
	}
	return test
}

// orders is the protected content at every path, except for public content at /health.
var orders = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if id, ok := certauth.FromContext(r.Context()); ok {
		fmt.Fprintln(w, id.Leaf.Subject.CommonName)
		return
	}
	fmt.Fprintln(w, "ok")
})

// CVE-2026-46579 and the rest of the table: no row is accepted by any preset.
func TestTestHandler_LetsNoRowIntoAnyPreset(t *testing.T) {
	assert.ElementsMatch(t, certauthtest.FrontEnds(), keys(sources))
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{
				Source: source(forwarded.Peers("127.0.0.1")), Policy: p.policy(),
				Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}},
			})
			require.NoError(t, err)
			test := p.test(name)
			test.Configure, test.Other = auth.ConfigureServer, p.other
			certauthtest.TestHandler(t, orders, test)
		})
	}
}

func keys[V any](m map[string]V) []string {
	var list []string
	for key := range m {
		list = append(list, key)
	}
	return list
}

// The table requires nothing that a sound service without this library could not do.
func TestTestHandler_LetsNoRowIntoASoundServiceOfAnotherMake(t *testing.T) {
	p := newPartner(t)
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(p.root.Certificate)
	intermediates.AddCert(p.issuing.Certificate)
	const header = "X-Client-Cert"
	isClient := func(r *http.Request) bool {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || host != "127.0.0.1" || len(r.Header[header]) != 1 || r.Header["Early-Data"] != nil || strings.Contains(strings.ReplaceAll(strings.ToLower(strings.Join(r.Header["Connection"], ",")), "_", "-"), "x-client-cert") {
			return false
		}
		der, err := base64.StdEncoding.Strict().DecodeString(r.Header[header][0])
		if err != nil || base64.StdEncoding.EncodeToString(der) != r.Header[header][0] {
			return false
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil || leaf.IsCA || leaf.VerifyHostname("orders.partner.example") != nil {
			return false
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err == nil
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close") // RFC 9112, section 6.1
		}
		if !isClient(r) && !(r.Method == http.MethodGet && r.RequestURI == "/health") {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		orders(w, r)
	})
	certauthtest.TestHandler(t, handler, p.test("APIManagement"))
}
