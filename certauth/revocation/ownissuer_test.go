package revocation_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K110: RFC 5280, section 4.2.1.13, has a CA leave cRLIssuer out if it signs its own lists, but
// EJBCA can be configured to write the CA's own name there. Such a point counted as one of an indirect
// CRL, so that clients that name no other source were refused. Anything but the CA's own name still does.
func TestChecker_ThePointOfACAThatNamesItselfAsCRLIssuer(t *testing.T) {
	issuers := func(names ...[]byte) []byte { return ocsptest.Element(ocsptest.Explicit(2), names...) }
	for name, c := range map[string]struct {
		issuers func(*wired) []byte
		list    func(*wired) ocsptest.List
		want    certauth.RevocationStatus
		err     error
	}{
		"the CA, and a list for this point": {
			func(w *wired) []byte { return issuers(directory(w.ca.cert.RawSubject)) },
			func(w *wired) ocsptest.List { return w.withPoint(uri(crlURL)) },
			isGood, nil,
		},
		"the CA, and a list that revokes": {
			func(w *wired) []byte { return issuers(directory(w.ca.cert.RawSubject)) },
			func(w *wired) ocsptest.List { return w.list(entryFor(w.client)) },
			isRevoked, nil,
		},
		"the CA, and a list for another point": {
			func(w *wired) []byte { return issuers(directory(w.ca.cert.RawSubject)) },
			func(w *wired) ocsptest.List { return w.withPoint(uri(crlURL + "2")) },
			isUnavailable, revocation.ErrCRLScope,
		},
		"the CA, and an indirect list": {
			func(w *wired) []byte { return issuers(directory(w.ca.cert.RawSubject)) },
			func(w *wired) ocsptest.List { return w.withPoint(uri(crlURL), ocsptest.Flag(4)) },
			isUnavailable, evidence.ErrIndirectCRL,
		},
		"another CA": {
			func(w *wired) []byte { return issuers(directory(w.root.cert.RawSubject)) },
			func(w *wired) ocsptest.List { return w.list() },
			isUnavailable, revocation.ErrNoSource,
		},
		"the CA and another": {
			func(w *wired) []byte {
				return issuers(directory(w.ca.cert.RawSubject), directory(w.root.cert.RawSubject))
			},
			func(w *wired) ocsptest.List { return w.list() },
			isUnavailable, revocation.ErrNoSource,
		},
		"nobody": {
			func(*wired) []byte { return issuers() },
			func(w *wired) ocsptest.List { return w.list() },
			isUnavailable, revocation.ErrNoSource,
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			w.client = w.issue(t, "client", unpointed, point(uri(crlURL), c.issuers(w)))
			w.net.serve(crlURL, body(encode(t, c.list(w))))
			checker := w.checker(t, leafOnly)
			w.says(t, checker, w.client, c.want, c.err)
			require.Equal(t, !errors.Is(c.err, revocation.ErrNoSource), w.net.count(crlURL) > 0)
		})
	}
}
