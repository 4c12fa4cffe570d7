package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// newHandler returns the named server's handler: bare looks at no certificate, nor does
// control, byhand is the middleware that one writes without a library, certauth is ours.
func newHandler(name string, m material) (http.Handler, error) {
	switch name {
	case "bare", "control":
		return http.HandlerFunc(ok), nil
	case "byhand":
		return byHand(m, http.HandlerFunc(okToLeaf)), nil
	case "certauth":
		auth, err := certauth.New(certauth.Config{
			Source: forwarded.AppService{From: forwarded.Peers("127.0.0.1/32"), InsecureOutsideAppService: true},
			Policy: certauth.All{
				certauth.Chain{Roots: certauth.Certificates(m.root), Intermediates: certauth.Certificates(m.issuing)},
				certauth.PublicKeys{keyPin(m.leaf)},
				certauth.DNSNames{partnerName},
			},
		})
		if err != nil {
			return nil, err
		}
		return auth.Handler(http.HandlerFunc(okToIdentity)), nil
	}
	return nil, fmt.Errorf("no Go server %q", name)
}

func keyPin(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

type leafKey struct{}

// byHand decodes, parses, and checks dates, pin, chain and name on every request, as the
// policy of ours does. It trusts the header from anybody and leaves it in the request.
func byHand(m material, next http.Handler) http.Handler {
	pin := sha256.Sum256(m.leaf.RawSubjectPublicKeyInfo)
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(m.root)
	intermediates.AddCert(m.issuing)
	check := func(r *http.Request) (*x509.Certificate, bool) {
		der, err := base64.StdEncoding.DecodeString(r.Header.Get(certificateHeader))
		if err != nil {
			return nil, false
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, false
		}
		now := time.Now()
		if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
			return nil, false
		}
		if sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo); !bytes.Equal(sum[:], pin[:]) {
			return nil, false
		}
		_, err = leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, CurrentTime: now,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		return leaf, err == nil && slices.Contains(leaf.DNSNames, partnerName)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaf, known := check(r)
		if !known {
			http.Error(w, "refused", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leafKey{}, leaf)))
	})
}

// The three handlers write the same bytes; two of them look at who is calling first.

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n") //nolint:errcheck // the client is gone, nobody is left to tell
}

func okToLeaf(w http.ResponseWriter, r *http.Request) {
	if leaf, found := r.Context().Value(leafKey{}).(*x509.Certificate); !found || leaf.Subject.CommonName == "" {
		http.Error(w, "no certificate", http.StatusInternalServerError)
		return
	}
	ok(w, r)
}

func okToIdentity(w http.ResponseWriter, r *http.Request) {
	if id, found := certauth.FromContext(r.Context()); !found || id.Leaf.Subject.CommonName == "" {
		http.Error(w, "no identity", http.StatusInternalServerError)
		return
	}
	ok(w, r)
}
