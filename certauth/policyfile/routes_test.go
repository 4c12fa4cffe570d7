package policyfile_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// chainDocument returns a document that accepts every certificate of the CA in that file.
func chainDocument(file string) string {
	return fmt.Sprintf(`{"source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-Cert", "format": "base64DER"}},
  "policy": {"chain": {"roots": {"pemFile": %q}}}}`, file)
}

// finding I17-1: a route of one Authenticator inside the Handler of another was judged by the other's
// route with the same number, and accepted the callers of that route.
func TestRequire_InsideTheHandlerOfAnotherDocumentRefuses(t *testing.T) {
	f := newFolder(t)
	public := open(t, f.write("public.json", chainDocument("a.pem")), certauth.Config{})
	private := open(t, f.write("private.json", chainDocument("a.pem")), certauth.Config{})
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	ofA := certauth.Chain{Roots: certauth.PEMFile(filepath.Join(f.dir, "a.pem"))}
	lax := public.Require(ofA)(ok)
	strict := private.Require(certauth.All{ofA, certauth.DNSNames{"nobody.example"}})(ok)
	for _, tc := range []struct {
		name    string
		handler http.Handler
		want    int
	}{
		{"the route of the document itself", public.Handler(lax), http.StatusOK},
		{"the route of another document", public.Handler(strict), http.StatusUnauthorized},
		{"both Handlers around it, its own inside", public.Handler(private.Handler(strict)), http.StatusUnauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r.Header.Set("X-Cert", f.clientA.Base64())
			w := httptest.NewRecorder()
			tc.handler.ServeHTTP(w, r)
			assert.Equal(t, tc.want, w.Code)
		})
	}
}

// finding I17-2: a route that was made while a request with an older document was in progress
// panicked when that request reached it.
func TestRequire_MadeAfterTheDocumentWasReplacedRefusesRequestsOfTheOldOne(t *testing.T) {
	f := newFolder(t)
	path := f.write("policy.json", chainDocument("a.pem"))
	auth := open(t, path, certauth.Config{})
	reached := false
	code, _ := call(auth, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.write("policy.json", chainDocument("a.pem")+"\n")
		if !assert.NoError(t, auth.Reload(t.Context())) {
			return
		}
		late := auth.Require(certauth.Chain{Roots: certauth.PEMFile(filepath.Join(f.dir, "a.pem"))})
		assert.NotPanics(t, func() {
			late(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })).ServeHTTP(w, r)
		})
	}), "X-Cert", f.clientA.Base64())
	assert.NotEqual(t, http.StatusOK, code)
	assert.False(t, reached)
}
