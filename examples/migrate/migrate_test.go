package migrate_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/examples/migrate"
)

// The Go code of each page is that of this package, which is compiled and run below.
func TestPages_ShowTheCode(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.Len(t, pages, 6)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		code, err := os.ReadFile(strings.TrimSuffix(page, ".md") + ".go")
		require.NoError(t, err)
		_, after, found := strings.Cut(string(text), "```go\n")
		require.True(t, found, page)
		block, _, found := strings.Cut(after, "```\n")
		require.True(t, found, page)
		assert.Contains(t, string(code), block, page)
		assert.Contains(t, block, "func ", page)
		assert.Contains(t, string(text), "**Status.**", page)
		assert.Contains(t, string(text), "**SHA-1.**", page)
	}
}

type world struct {
	root, issuing *certauthtest.CA
	roots, chain  string // files
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{root: certauthtest.NewCA(t, "Partner Root")}
	w.issuing = w.root.NewIntermediate(t, "Partner Issuing CA")
	write := func(name string, pem []byte) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, pem, 0o600))
		return file
	}
	w.roots, w.chain = write("roots.pem", w.root.PEM()), write("issuing.pem", w.issuing.PEM())
	return w
}

const secret = "correct horse battery staple"

func ask(t *testing.T, auth *certauth.Authenticator, frontEnd string, client *certauthtest.Certificate) certauth.Reason {
	t.Helper()
	r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, "/orders", nil), "tcp", "127.0.0.1:40000")
	certauthtest.FrontEnd{Name: frontEnd}.Forward(t, r, client)
	r.Header.Set("X-Gateway-Secret", secret)
	_, err := auth.Check(r)
	if err == nil {
		return certauth.ReasonNone
	}
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return refused.Reason
}

func onAppService(t *testing.T) {
	t.Helper()
	t.Setenv("WEBSITE_SITE_NAME", "example")
	t.Setenv("WEBSITE_INSTANCE_ID", "instance-0")
}

func TestASPNetCore(t *testing.T) {
	onAppService(t)
	w := newWorld(t)
	auth, err := migrate.ASPNetCore(w.roots, w.chain, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Equal(t, certauth.ReasonCertificateMissing, ask(t, auth, "AppService", nil))
	assert.Equal(t, certauth.ReasonChainUntrusted, ask(t, auth, "AppService", certauthtest.SelfSigned(t, "orders")))
	assert.Equal(t, certauth.ReasonNameNotAllowed, ask(t, auth, "AppService", w.issuing.Issue(t, "board")))
	orders := w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	assert.Equal(t, certauth.ReasonRevocationUnavailable, ask(t, auth, "AppService", orders), "it names no source to ask")
}

func TestAPIManagement(t *testing.T) {
	w := newWorld(t)
	auth, err := migrate.APIManagement(w.roots, w.chain, secret)
	require.NoError(t, err)
	assert.Equal(t, certauth.ReasonNameNotAllowed, ask(t, auth, "APIManagement", w.issuing.Issue(t, "stranger")))
	assert.Equal(t, certauth.ReasonRevocationUnavailable, ask(t, auth, "APIManagement", w.issuing.Issue(t, "billing")))
	assert.Equal(t, certauth.ReasonChainUntrusted, ask(t, auth, "APIManagement", certauthtest.SelfSigned(t, "billing")))
}

func TestVault(t *testing.T) {
	w := newWorld(t)
	issue := func(unit string) *certauthtest.Certificate {
		return w.root.Issue(t, "", certauthtest.Subject(pkix.Name{CommonName: "orders", OrganizationalUnit: []string{unit}}),
			certauthtest.DNS("a.partner.example"), certauthtest.URI(t, "spiffe://partner.example/orders"))
	}
	good, gone, other := issue("Fulfilment"), issue("Fulfilment"), issue("Marketing")
	lists := certauthtest.NewCRLServer(t, w.root)
	lists.Revoke(gone.SerialNumber, 1)
	list, err := lists.CRL()
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "partner.crl"), list, 0o600))
	auth, err := migrate.Vault(w.roots, folder, []*x509.Certificate{w.root.Certificate})
	require.NoError(t, err)
	for _, tc := range []struct {
		client *certauthtest.Certificate
		want   certauth.Reason
	}{
		{good, certauth.ReasonNone},
		{gone, certauth.ReasonCertificateRevoked},
		{other, certauth.ReasonNameNotAllowed},
		{certauthtest.SelfSigned(t, "orders"), certauth.ReasonChainUntrusted},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{tc.client.Certificate}}
		id, err := auth.Check(r)
		if tc.want == certauth.ReasonNone {
			require.NoError(t, err)
			assert.Equal(t, []string{"web"}, id.Matched)
			continue
		}
		var refused *certauth.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, tc.want, refused.Reason)
	}
}

func TestNginx(t *testing.T) {
	w := newWorld(t)
	auth, err := migrate.Nginx(w.roots, w.chain)
	require.NoError(t, err)
	assert.Equal(t, certauth.ReasonCertificateMissing, ask(t, auth, "Nginx", nil))
	assert.Equal(t, certauth.ReasonNameNotAllowed, ask(t, auth, "Nginx", w.issuing.Issue(t, "orders")))
	orders := certauthtest.Subject(pkix.Name{CommonName: "orders", Organization: []string{"Partner GmbH"}})
	assert.Equal(t, certauth.ReasonNone, ask(t, auth, "Nginx", w.issuing.Issue(t, "", orders)))
	assert.Equal(t, certauth.ReasonChainUntrusted, ask(t, auth, "Nginx", certauthtest.SelfSigned(t, "orders")))
}

func TestExpress(t *testing.T) {
	onAppService(t)
	client, next := certauthtest.SelfSigned(t, "orders"), certauthtest.SelfSigned(t, "orders")
	_, err := migrate.Express()
	require.Error(t, err, "a variable that is not set is a mistake, not an empty list")
	t.Setenv("PARTNER_THUMBPRINTS", client.Thumbprint())
	auth, err := migrate.Express()
	require.NoError(t, err, "finding N93: between rotations there is one pin")
	assert.Equal(t, certauth.ReasonNone, ask(t, auth, "AppService", client))
	assert.Equal(t, certauth.ReasonPinMismatch, ask(t, auth, "AppService", next))
	t.Setenv("PARTNER_THUMBPRINTS", client.Thumbprint()+", "+next.Thumbprint())
	auth, err = migrate.Express()
	require.NoError(t, err)
	assert.Equal(t, certauth.ReasonNone, ask(t, auth, "AppService", client))
	assert.Equal(t, certauth.ReasonNone, ask(t, auth, "AppService", next))
	assert.Equal(t, certauth.ReasonPinMismatch, ask(t, auth, "AppService", certauthtest.SelfSigned(t, "orders")))
}
