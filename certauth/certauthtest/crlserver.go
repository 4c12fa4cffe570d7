package certauthtest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"
)

// CRLServer serves the CRL of one CA (RFC 5280, section 5), complete and in DER. It is an
// [http.Handler] for every path. After every change, Revoke and SetFault included, the next
// request gets a newly signed list with the next number. Otherwise the same list is served, and
// conditional requests are answered with 304. It is safe for concurrent use.
type CRLServer struct {
	*standing
	ca     *CA
	forger crypto.Signer

	current *signedList // guarded by the standing's mutex
}

type signedList struct {
	der      []byte
	number   int64
	modified time.Time
	changes  int // of the standing, when the list was signed
}

// NewCRLServer makes a server whose CRL is empty at first.
func NewCRLServer(tb TB, ca *CA) *CRLServer {
	tb.Helper()
	return &CRLServer{standing: newStanding(), ca: ca, forger: newKey(tb)}
}

// Publish makes the next request get a new list although nothing has changed, with the next
// number and the dates of that time.
func (s *CRLServer) Publish() { s.change(func() {}) }

// CRL returns the list in DER as GET would return it now, for a file. Of the faults only Forged
// affects it. It returns an error if SetValidity has put nextUpdate before thisUpdate.
func (s *CRLServer) CRL() ([]byte, error) {
	list, _, err := s.list()
	if err != nil {
		return nil, err
	}
	return slices.Clone(list.der), nil
}

// ServeHTTP implements [http.Handler].
func (s *CRLServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	list, fault, err := s.list()
	switch {
	case fault.failed(w, r):
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	default:
		w.Header().Set("Content-Type", "application/pkix-crl")
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, list.number))
		http.ServeContent(w, r, "", list.modified, bytes.NewReader(list.der))
	}
}

func (s *CRLServer) list() (*signedList, Fault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current
	if old != nil && old.changes == s.changes {
		return old, s.fault, nil
	}
	at := s.now()
	next := &signedList{number: 1, modified: at, changes: s.changes}
	if old != nil {
		next.number = old.number + 1
		// HTTP dates have no fractions of a second, so two lists of one second would have the
		// same date.
		if least := old.modified.Add(time.Second); at.Before(least) {
			next.modified = least
		}
	}
	template := &x509.RevocationList{Number: big.NewInt(next.number), ThisUpdate: at.Add(-s.ago), NextUpdate: at.Add(s.ahead)}
	for _, one := range s.revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: one.serial, RevocationTime: one.at, ReasonCode: one.reason,
		})
	}
	slices.SortFunc(template.RevokedCertificateEntries, func(a, b x509.RevocationListEntry) int { return a.SerialNumber.Cmp(b.SerialNumber) })
	key := s.ca.key
	if s.fault == Forged {
		key = s.forger
	}
	var err error
	if next.der, err = x509.CreateRevocationList(rand.Reader, template, s.ca.Certificate, key); err != nil {
		return nil, s.fault, err
	}
	s.current = next
	return next, s.fault, nil
}
