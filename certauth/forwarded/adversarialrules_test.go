package forwarded_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func TestAdversarial_Row62PinForms(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	pin := thumbprint(p.client.Raw)
	var pairs []string
	for i := 0; i < len(pin); i += 2 {
		pairs = append(pairs, pin[i:i+2])
	}
	for name, form := range map[string]string{
		"lower": pin, "upper": strings.ToUpper(pin), "colons": strings.Join(pairs, ":"), "spaces": strings.Join(pairs, " "), "U+200E in front": "\u200e" + pin,
	} {
		t.Run(name, func(t *testing.T) { attempt{policy: certauth.Thumbprints{form}, values: values(p.good)}.run(t, p) })
	}
	for name, bad := range map[string]certauth.Policy{
		"the digest of nothing": certauth.Thumbprints{"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, "the SHA-1 of nothing": certauth.ThumbprintsSHA1{"da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		"the key digest of nothing": certauth.PublicKeys{"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, "31 bytes": certauth.Thumbprints{pin[2:]}, "33 bytes": certauth.Thumbprints{pin + "00"},
		"SHA-1 without opt-in": certauth.Thumbprints{pin[:40]}, "no list": certauth.Thumbprints{}, "an empty pin": certauth.Thumbprints{""}, "not hex": certauth.Thumbprints{strings.Repeat("zz", 32)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: bad})
			assert.Error(t, err)
		})
	}
}

// Row 64: both ends belong to the validity period (RFC 5280, section 4.1.2.5).
func TestAdversarial_Row64Dates(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for name, policy := range map[string]certauth.Policy{"chain": p.chain(), "pin": certauth.Certificates(p.client.Certificate), "key": certauth.PublicKeys{keyHash(p.client.Certificate)}} {
		for _, tc := range []struct {
			name string
			now  time.Time
			want certauth.Reason
		}{
			{"a second early", p.client.NotBefore.Add(-time.Second), certauth.ReasonCertificateNotYetValid},
			{"at its beginning", p.client.NotBefore, certauth.ReasonNone},
			{"at its end", p.client.NotAfter, certauth.ReasonNone},
			{"a second late", p.client.NotAfter.Add(time.Second), certauth.ReasonCertificateExpired},
		} {
			t.Run(name+" "+tc.name, func(t *testing.T) {
				auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: policy, Now: func() time.Time { return tc.now }})
				require.NoError(t, err)
				_, err = auth.Check(arriving(p.good))
				assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			})
		}
	}
}

// Row 65: New refuses configurations that could accept only by mistake.
func TestAdversarial_Row65ConstructorErrors(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for name, config := range map[string]certauth.Config{
		"no anchor":                    {Source: forwarded.AppService{}, Policy: certauth.DNSNames{"orders.partner.example"}},
		"an empty policy":              {Source: forwarded.AppService{}, Policy: certauth.All{}},
		"no policy":                    {Source: forwarded.AppService{}},
		"a typed nil policy":           {Source: forwarded.AppService{}, Policy: (*certauth.Thumbprints)(nil)},
		"a nil pool":                   {Source: forwarded.AppService{}, Policy: certauth.Chain{}},
		"an empty pool":                {Source: forwarded.AppService{}, Policy: certauth.Chain{Roots: certauth.Certificates()}},
		"no source":                    {Policy: p.chain()},
		"a gate without members":       {Source: forwarded.AppService{From: forwarded.Peers()}, Policy: p.chain()},
		"a key pin in front of a name": {Source: forwarded.AppService{}, Policy: certauth.All{certauth.PublicKeys{keyHash(p.client.Certificate)}, certauth.CommonNames{"orders"}}},
		"an open branch and an anchor": {Source: forwarded.AppService{}, Policy: certauth.Any{p.chain(), certauth.CommonNames{"orders"}}},
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := certauth.New(config)
			assert.Error(t, err)
			assert.Nil(t, auth)
		})
	}
}

// Rows 66 to 68: an exclusion is one method and one path, and grants no identity.
func TestAdversarial_Row66To68Exclusions(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	why := func(path string) certauth.Exclusion {
		return certauth.Exclusion{Path: path, Reason: "test", Control: "test"}
	}
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: p.chain(), Exclusions: []certauth.Exclusion{why("/public"), why("/health")}})
	require.NoError(t, err)
	calls := 0
	handler := auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls++
		_, ok := certauth.FromContext(r.Context())
		assert.False(t, ok, "an excluded request has no identity")
		assertStripped(t, r)
	}))
	for _, tc := range []struct {
		line     string
		excluded bool
	}{
		{"GET /public", true},
		{"HEAD /public", true},
		{"GET /public?a=/b", true},
		{"GET /health", true},
		{"GET /public%2fX", false},
		{"GET /public/%2e%2e/admin", false},
		{"GET /public/../admin", false},
		{"GET //public", false},
		{"GET /PUBLIC", false},
		{"GET /public;/x", false},
		{`GET /public\..\admin`, false},
		{"GET /publicity", false},
		{"GET /public/", false},
		{"GET /./public", false},
		{"GET /%70ublic", false},
		{"GET /public%00", false},
		{"GET /admin/../public", false},
		{"GET http://app.example/public", false},
		{"CONNECT /public", false},
		{"OPTIONS *", false},
		{"POST /health", false},
		{"GET /?/public", false},
		{"GET /#/public", false},
		{"GET /admin#/public", false},
		{"get /public", false},
		{"GET /", false},
		{"PUT /public", false},
		{"OPTIONS /public", false},
	} {
		t.Run("row 66 "+tc.line, func(t *testing.T) {
			for _, value := range []string{"", p.good, "?"} {
				if value == p.good && !tc.excluded {
					continue
				}
				wire := tc.line + " HTTP/1.1\r\nHost: app.example\r\nX-Original-URL: /public\r\nX-Rewrite-Url: /public\r\nUser-Agent: AlwaysOn HealthCheck/1.0\r\nX-ARR-ClientCert: " + value + "\r\nX_ARR_ClientCert: x\r\n\r\n"
				r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
				if err != nil {
					assert.False(t, tc.excluded, "net/http answers it")
					continue
				}
				recorder, before := httptest.NewRecorder(), calls
				handler.ServeHTTP(recorder, r)
				assert.Equal(t, tc.excluded, calls > before)
				assert.Equal(t, tc.excluded, recorder.Code == http.StatusOK, "status %d", recorder.Code)
			}
		})
	}
}

// Row 69: every failure during the decision denies.
func TestAdversarial_Row69PanicsAndCancelledContexts(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	explode := certauth.PolicyFunc{Name: "store", Func: func(context.Context, *certauth.Identity) error { panic(p.good) }}
	attempt{policy: certauth.All{p.chain(), explode}, values: values(p.good), want: certauth.ReasonInternalError}.run(t, p)
	attempt{policy: certauth.Any{certauth.All{p.chain(), explode}, p.chain()}, values: values(p.good), want: certauth.ReasonInternalError}.run(t, p)
	attempt{values: values(p.good), change: func(r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		*r = *r.WithContext(ctx)
	}, want: certauth.ReasonRequestCanceled}.run(t, p)
	for name, config := range map[string]certauth.Config{
		"a decoder": {Source: certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { panic("decoder") }}, Policy: p.chain()},
		"a hook":    {Source: forwarded.AppService{}, Policy: p.chain(), Observe: func(context.Context, certauth.Event) { panic("metrics") }},
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := certauth.New(config)
			require.NoError(t, err)
			recorder := httptest.NewRecorder()
			auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the next handler was called") })).ServeHTTP(recorder, arriving(p.good))
			assert.Equal(t, http.StatusUnauthorized, recorder.Code)
		})
	}
}
