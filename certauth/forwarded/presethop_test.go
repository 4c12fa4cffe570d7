package forwarded_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding R1: Apache's %{SSL_CLIENT_CERT}s ends in a space. HTTP/1 removes the space on the way and
// HTTP/2 does not, so every genuine client was refused over an HTTP/2 hop.
func TestPresets_ValuesThatEndInASpaceOverEitherHop(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	client := issuing.Issue(t, "orders").Certificate
	leaf, chain := asSpaced(client), asSpaced(issuing.Certificate)
	anybody := forwarded.InsecureAnyPeer()
	for _, hop := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for _, tc := range []struct {
			name          string
			source        certauth.Source
			header, chain string
			flag          string
		}{
			{"Apache", forwarded.Apache{From: anybody, ChainHeader: "SSL_CLIENT_CERT_CHAIN_"}, "SSL_CLIENT_CERT", "SSL_CLIENT_CERT_CHAIN_0", "SSL_CLIENT_VERIFY"},
			{"a header of your own", forwarded.Header{
				From: anybody, Name: "X-Cert", Format: forwarded.FormatSpacedPEM, ChainName: "X-Chain", ChainFormat: forwarded.ChainSpacedPEMNumbered,
			}, "X-Cert", "X-Chain0", "X-None"},
		} {
			t.Run(tc.name+" over "+hop, func(t *testing.T) {
				auth, err := certauth.New(certauth.Config{Source: tc.source, Policy: certauth.Chain{Roots: certauth.Certificates(root.Certificate)}})
				require.NoError(t, err)
				server := httptest.NewUnstartedServer(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					assert.Equal(t, hop, r.Proto)
				})))
				server.EnableHTTP2 = hop == "HTTP/2.0"
				server.StartTLS()
				defer server.Close()
				for _, end := range []string{"", " ", "  ", "\t"} {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
					require.NoError(t, err)
					r.Header[tc.header], r.Header[tc.chain], r.Header[tc.flag] = values(leaf+end), values(chain+end), values("SUCCESS")
					response, err := server.Client().Do(r)
					require.NoError(t, err)
					require.NoError(t, response.Body.Close())
					assert.Equal(t, http.StatusOK, response.StatusCode, "%q", end)
				}
			})
		}
	}
}

// finding R3: one rule for all front ends. Flags about a certificate that is missing neither grant
// nor deny anything, however many there are.
func TestPresets_FlagsWithoutACertificateAreAbsence(t *testing.T) {
	p := newPartner(t)
	rows := 0
	for _, d := range presets() {
		if len(d.status()) == 0 {
			continue
		}
		rows++
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			good := func() *http.Request { return d.request(p.client.Certificate) }
			changes := map[string]func(*http.Request){"all flags, no header": put(d.header), "all flags, an empty header": put(d.header, "")}
			for _, flag := range d.status() {
				changes["all flags but "+flag[0]] = inOrder(put(d.header), put(flag[0]))
				changes["all flags, "+flag[0]+" twice"] = inOrder(put(d.header), put(flag[0], flag[1], flag[1]))
				changes["all flags, "+flag[0]+" says something else"] = inOrder(put(d.header), put(flag[0], "FAILED"))
			}
			for name, change := range changes {
				s.judgeAll(t, good, []row{{name, change, certauth.ReasonCertificateMissing}})
			}
			r := good()
			d.without(r)
			_, err := s.plain.Check(overSocket(t, r))
			require.ErrorContains(t, err, "reports a verified certificate")
		})
	}
	assert.GreaterOrEqual(t, rows, 12)
}

// finding S9: nothing that exceeds the limit of its kind is parsed, decoded or hashed, and a long
// Connection header is refused because of its length.
func TestPresets_NothingLargerThanItsLimitIsRead(t *testing.T) {
	p := newPartner(t)
	m := newMaker(t)
	large := sizedClient(t, m, p, 30_000)
	encoded := base64.StdEncoding.EncodeToString(large.Raw)
	leaf := base64.StdEncoding.EncodeToString(p.client.Certificate.Raw)
	anybody := forwarded.InsecureAnyPeer()
	long := strings.Repeat("a", 800<<10)
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h[http.CanonicalHeaderKey(pairs[i])] = append(h[http.CanonicalHeaderKey(pairs[i])], pairs[i+1])
		}
		return h
	}
	malformed, untrusted := certauth.ReasonCertificateMalformed, certauth.ReasonSourceUntrusted
	for _, tc := range []struct {
		name   string
		source certauth.Source
		header http.Header
		want   certauth.Reason
		most   uint64 // bytes that the refusal may allocate
	}{
		{"a leaf in a chain of PEM", forwarded.ALB{From: anybody, Passthrough: true}, header("X-Amzn-Mtls-Clientcert", asURL(large)), malformed, 300 << 10},
		{"an issuer in a chain of PEM", forwarded.ALB{From: anybody, Passthrough: true}, header("X-Amzn-Mtls-Clientcert", asURL(p.client.Certificate, large)), malformed, 300 << 10},
		{
			"an issuer in a concatenated chain",
			forwarded.HAProxy{From: anybody, ChainHeader: "X-Chain"},
			header("X-SSL-Client-Cert", leaf, "X-SSL-Client-Used", "1", "X-SSL-Client-Verify", "0", "X-Chain", encoded), malformed, 100 << 10,
		},
		{
			"a concatenated chain that is too long",
			forwarded.HAProxy{From: anybody, ChainHeader: "X-Chain"},
			header("X-SSL-Client-Cert", leaf, "X-SSL-Client-Used", "1", "X-SSL-Client-Verify", "0", "X-Chain", long), malformed, 8 << 10,
		},
		{"an item of a list", forwarded.Traefik{From: anybody}, header("X-Forwarded-Tls-Client-Cert", leaf+","+encoded), malformed, 100 << 10},
		{"a flag", forwarded.Nginx{From: anybody}, header("X-Client-Cert", asURL(p.client.Certificate), "X-Client-Verify", long), malformed, 8 << 10},
		{
			"a fingerprint",
			forwarded.Nginx{From: anybody, FingerprintHeader: "X-Print"},
			header("X-Client-Cert", asURL(p.client.Certificate), "X-Client-Verify", "SUCCESS", "X-Print", long), malformed, 8 << 10,
		},
		{
			"a shared secret",
			forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", strings.Repeat("s", 32))},
			header("X-Client-Cert", asURL(p.client.Certificate), "X-Client-Verify", "SUCCESS", "X-Gate", long), untrusted, 8 << 10,
		},
		{
			"a Connection header",
			forwarded.AppService{InsecureOutsideAppService: true},
			header("X-ARR-ClientCert", leaf, "X-Arr-Log-Id", "a", "X-Arr-Ssl", "2048|256|a|b", "Connection", strings.Repeat(",", 800<<10)), malformed, 8 << 10,
		},
		{
			"several Connection headers",
			forwarded.AppService{InsecureOutsideAppService: true},
			header("X-ARR-ClientCert", leaf, "X-Arr-Log-Id", "a", "X-Arr-Ssl", "2048|256|a|b", "Connection", strings.Repeat(",", 3<<10), "Connection", strings.Repeat(",", 3<<10)), malformed, 8 << 10,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: tc.source, Policy: certauth.Chain{Roots: certauth.Certificates(m.cert)}})
			require.NoError(t, err)
			check := func() error {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header = tc.header
				_, err := auth.Check(r)
				return err
			}
			assert.Equal(t, tc.want, reasonOf(check()))
			text := fmt.Sprint(check())
			assert.Less(t, len(text), 1000)
			assert.Regexp(t, "[0-9]+ bytes|not the shared secret|Connection", text, "the length is what is wrong")
			if tc.header["Connection"] == nil { // which the Authenticator checks for every source
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header = tc.header
				_, err = read(t, tc.source, r)
				assert.Equal(t, tc.want, reasonOf(err), "the source itself: %v", err)
			}
			assert.LessOrEqual(t, allocated(func() { _ = check() }), tc.most)
		})
	}
}

// allocated returns how many bytes a call allocates on average.
func allocated(call func()) uint64 {
	const n = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		call()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / n
}
