package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// newHandler returns the named server's handler: bare and control ignore the certificate, byhand is
// middleware as one writes it without a library, floor is the floor handler, and certauth is the
// library's.
func newHandler(name string, m material) (http.Handler, error) {
	switch name {
	case "bare", "control":
		return http.HandlerFunc(ok), nil
	case "byhand":
		return newByHand(m, okTo(leafKey{})), nil
	case "floor":
		return newFloor(newByHand(m, nil), okTo(floorKey{})), nil
	case "certauth":
		auth, err := certauth.New(certauth.Config{
			Source: forwarded.AppService{From: forwarded.Peers("127.0.0.1/32"), InsecureOutsideAppService: true},
			Policy: fullPolicy(m),
		})
		if err != nil {
			return nil, err
		}
		return auth.Handler(http.HandlerFunc(okToIdentity)), nil
	}
	return nil, fmt.Errorf("no Go server %q", name)
}

func chainPolicy(m material) certauth.Policy {
	return certauth.Chain{Roots: certauth.Certificates(m.root), Intermediates: certauth.Certificates(m.issuing)}
}

// fullPolicy is a chain, a pin of the clients' key, and a name.
func fullPolicy(m material, more ...certauth.Policy) certauth.Policy {
	return append(certauth.All{chainPolicy(m), certauth.PublicKeys{keyPin(m.leaf)}, certauth.DNSNames{partnerName}}, more...)
}

func keyPin(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

type leafKey struct{}

// byHand decodes and parses the certificate and checks dates, pin, chain and name on every request, as
// the library's policy does. It trusts every sender of the header and leaves it in the request.
type byHand struct {
	next                 http.Handler
	pin                  [sha256.Size]byte
	roots, intermediates *x509.CertPool
}

func newByHand(m material, next http.Handler) *byHand {
	h := &byHand{next: next, pin: sha256.Sum256(m.leaf.RawSubjectPublicKeyInfo), roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	h.roots.AddCert(m.root)
	h.intermediates.AddCert(m.issuing)
	return h
}

// verify returns the leaf and its chain.
func (h *byHand) verify(der []byte) (leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	if leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, nil, errors.New("not valid now")
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: h.roots, Intermediates: h.intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, nil, err
	}
	return leaf, chains[0], nil
}

func (h *byHand) pinned(leaf *x509.Certificate) bool {
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return bytes.Equal(sum[:], h.pin[:])
}

func (h *byHand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	der, err := base64.StdEncoding.DecodeString(r.Header.Get(certificateHeader))
	if err != nil {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	leaf, _, err := h.verify(der)
	if err != nil || !h.pinned(leaf) || !slices.Contains(leaf.DNSNames, partnerName) {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	h.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leafKey{}, leaf)))
}

// withValue shows the cost of all middleware that passes a value to the next handler. The value
// exists already.
func withValue(leaf *x509.Certificate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leafKey{}, leaf)))
	})
}

// The servers' handlers write the same bytes; those that check a certificate read the caller's identity first.

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n") //nolint:errcheck // the client has disconnected
}

// okTo requires a certificate under this key of the context.
func okTo(key any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if leaf, found := r.Context().Value(key).(*x509.Certificate); !found || leaf.Subject.CommonName == "" {
			http.Error(w, "no certificate", http.StatusInternalServerError)
			return
		}
		ok(w, r)
	})
}

func okToIdentity(w http.ResponseWriter, r *http.Request) {
	if id, found := certauth.FromContext(r.Context()); !found || id.Leaf.Subject.CommonName == "" {
		http.Error(w, "no identity", http.StatusInternalServerError)
		return
	}
	ok(w, r)
}

// endpoint is the final handler of the measured handlers in this process. It reads the identity that
// the middleware has passed on, and answers 200. It keeps the request, so that the request escapes to
// the heap as it does for every handler that net/http calls through an interface. Otherwise its copy
// would be on the stack and cost nothing. Each loop has a separate endpoint.
type endpoint struct {
	caller func(context.Context) *x509.Certificate
	last   *http.Request
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.last = r
	if e.caller(r.Context()) == nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// endOfIdentity is the endpoint for the library.
func endOfIdentity() *endpoint {
	return &endpoint{caller: func(ctx context.Context) *x509.Certificate {
		if id, found := certauth.FromContext(ctx); found {
			return id.Leaf
		}
		return nil
	}}
}

// endOf is the endpoint for middleware that passes the certificate on under this key.
func endOf(key any) *endpoint {
	return &endpoint{caller: func(ctx context.Context) *x509.Certificate {
		leaf, _ := ctx.Value(key).(*x509.Certificate)
		return leaf
	}}
}
