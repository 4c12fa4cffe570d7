package policyfile_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
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

// finding T101: a handler that answers batches passed their parts to the Handler of a document that had changed
// the name of the header in the meantime. It did not notice that the request had passed one, so that a caller
// could be any other by writing the new header into a part.
func TestHandler_APartOfABatchIsJudgedByTheDocumentOfTheBatch(t *testing.T) {
	f := newFolder(t)
	other := f.a.Issue(t, "other")
	renamed := strings.Replace(chainDocument("a.pem"), "X-Cert", "X-Renamed", 1)
	auth := open(t, f.write("policy.json", chainDocument("a.pem")), certauth.Config{})
	var handler http.Handler
	status := map[string]int{}
	part := func(ctx context.Context, name string, client *certauthtest.Certificate) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/part", http.NoBody)
		r.Header.Set(name, client.Base64())
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	var ended *http.Request
	handler = auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/part" {
			return
		}
		f.write("policy.json", renamed)
		if assert.NoError(t, auth.Reload(t.Context())) {
			status["another caller, by the new name"] = part(r.Context(), "X-Renamed", other)
			status["another caller, by the old name"] = part(r.Context(), "X-Cert", other)
			status["the caller"] = part(r.Context(), "X-Cert", f.clientA)
		}
		ended = r
	}))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("X-Cert", f.clientA.Base64())
	handler.ServeHTTP(httptest.NewRecorder(), r)
	status["after the batch"] = part(ended.Context(), "X-Renamed", other)
	status["another request"] = part(t.Context(), "X-Renamed", other)
	assert.Equal(t, map[string]int{
		"another caller, by the new name": 401, "another caller, by the old name": 401, "the caller": 200,
		"after the batch": 401, "another request": 200,
	}, status)
}

// finding T107: as T101, if the part or the batch goes through Admit, as with an interceptor.
func TestAdmit_APartOfABatchIsJudgedByTheDocumentOfTheBatch(t *testing.T) {
	f := newFolder(t)
	other := f.a.Issue(t, "other")
	renamed := strings.Replace(chainDocument("a.pem"), "X-Cert", "X-Renamed", 1)
	request := func(ctx context.Context, name string, client *certauthtest.Certificate) *http.Request {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
		r.Header.Set(name, client.Base64())
		return r
	}
	for name, batch := range map[string]func(auth *policyfile.Authenticator, r *http.Request, parts func(context.Context)){
		"Handler": func(auth *policyfile.Authenticator, r *http.Request, parts func(context.Context)) {
			auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { parts(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
		},
		"Admit": func(auth *policyfile.Authenticator, r *http.Request, parts func(context.Context)) {
			admitted, err := auth.Admit(r)
			if assert.NoError(t, err) {
				assert.Empty(t, r.Header, "as certauth's Admit")
				parts(admitted.Context())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			auth := open(t, f.write("policy.json", chainDocument("a.pem")), certauth.Config{})
			reached := false
			batch(auth, request(t.Context(), "X-Cert", f.clientA), func(ctx context.Context) {
				reached = true
				_, err := auth.Admit(request(ctx, "X-Cert", f.clientA))
				assert.NoError(t, err, "the caller")
				f.write("policy.json", renamed)
				if !assert.NoError(t, auth.Reload(t.Context())) {
					return
				}
				for _, header := range []string{"X-Renamed", "X-Cert"} {
					_, err := auth.Admit(request(ctx, header, other))
					assert.Error(t, err, header)
					_, err = auth.Check(request(ctx, header, other))
					assert.Error(t, err, header)
				}
			})
			assert.True(t, reached)
			_, err := auth.Admit(request(t.Context(), "X-Renamed", other))
			assert.NoError(t, err, "another request")
		})
	}
}

// finding S58: a handler that went on after its request had ended, as behind http.TimeoutHandler or Fiber's timeout,
// came through a Require whose document was closed, with its revocation checks.
func TestRequire_RefusesWhatGoesOnAfterItsDocumentWasClosed(t *testing.T) {
	f := newFolder(t)
	auth := open(t, f.write("policy.json", chainDocument("a.pem")), certauth.Config{})
	runs := 0
	route := auth.Require(certauth.Chain{Roots: certauth.PEMFile(filepath.Join(f.dir, "a.pem"))})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runs++ }))
	var late *http.Request
	call(auth, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		late = r
		route.ServeHTTP(w, r)
	}), "X-Cert", f.clientA.Base64())
	route.ServeHTTP(httptest.NewRecorder(), late)
	assert.Equal(t, 2, runs, "the document is still the active one")
	f.write("policy.json", chainDocument("a.pem")+"\n")
	assert.NoError(t, auth.Reload(t.Context()))
	w := httptest.NewRecorder()
	route.ServeHTTP(w, late)
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, 2, runs)
}
