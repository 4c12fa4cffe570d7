package certauth

import (
	"crypto/x509"
	"sync/atomic"
	"weak"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// maxSentAlong bounds what is remembered of the certificates that a caller sends beside its
// own, in bytes of what the source was offered. A certificate that comes with more is judged
// anew each time: whoever holds an accepted certificate could otherwise fill the memory with
// whatever it likes to send along.
const maxSentAlong = 8 << 10

// sent are the certificates that a source handed over, leaf first.
type sent struct {
	certs []*x509.Certificate
	room  [1]*x509.Certificate // for certs, if the leaf came alone
}

func newSent(certs ...*x509.Certificate) *sent {
	s := &sent{}
	s.certs = append(s.room[:0], certs...)
	return s
}

// sentCertificates keeps them. What is remembered holds no certificate that was of no use:
// once it is released, those that stand in no chain are kept only as long as somebody else
// uses them, and are read again from the key when they are asked for.
type sentCertificates struct {
	held  atomic.Pointer[sent] // nil once released
	known atomic.Pointer[weak.Pointer[sent]]
	last  atomic.Pointer[weak.Pointer[Identity]] // instead of facts.identity, which holds them too
}

// sent returns the certificates that the source handed over.
func (f *facts) sent() *sent {
	if held := f.presented.held.Load(); held != nil {
		return held
	}
	if known := f.presented.known.Load(); known != nil {
		if again := known.Value(); again != nil {
			return again
		}
	}
	again := f.readAgain()
	known := weak.Make(again)
	f.presented.known.Store(&known)
	return again
}

// release lets go of what is of no use: names, until somebody asks for them again, and
// certificates that stand in no chain. The key, which is read from now on, is a copy.
func (f *facts) release() {
	f.parsed.Store(nil)
	held := f.presented.held.Load()
	if held == nil || len(held.certs) < 2 || f.usesAll(held.certs[1:]) {
		return
	}
	known := weak.Make(held)
	f.presented.known.Store(&known)
	f.presented.held.Store(nil)
	if id := f.identity.Load(); id != nil {
		f.handOut(id)
	}
}

// handedOut returns the identity that was handed out last, or nil.
func (f *facts) handedOut() *Identity {
	if id := f.identity.Load(); id != nil {
		return id
	}
	if last := f.presented.last.Load(); last != nil {
		return last.Value()
	}
	return nil
}

// handOut keeps an identity for the next request with the same outcome.
func (f *facts) handOut(id *Identity) {
	f.identity.Store(id)
	if f.presented.held.Load() == nil { // looked at after the store: release may be at work
		last := weak.Make(id)
		f.presented.last.Store(&last)
		f.identity.Store(nil)
	}
}

// readAgain reads the certificates from the key. A source that reads something else from
// the same texts than before has the leaf alone.
func (f *facts) readAgain() *sent {
	alone := newSent(f.leaf)
	certs, err := safely.Do(func() ([]*x509.Certificate, error) { return readKey(f.Key, f.source) })
	if err != nil || len(certs) == 0 || !certs[0].Equal(f.leaf) {
		return alone
	}
	certs, _, err = usable(certs)
	if err != nil {
		return alone
	}
	for i, cert := range certs {
		certs[i] = f.ownCopy(cert)
	}
	certs[0] = f.leaf
	return newSent(certs...)
}

// readKey reads what a key is made of.
func readKey(k source.Key, by *source.Reader) ([]*x509.Certificate, error) {
	if by != nil {
		certs, err := by.Decode(k.Offer(), nil)
		return append([]*x509.Certificate(nil), certs...), err
	}
	certs := make([]*x509.Certificate, len(k))
	for i, der := range k {
		cert, err := x509.ParseCertificate([]byte(der))
		if err != nil {
			return nil, err
		}
		certs[i] = cert
	}
	return certs, nil
}

// usesAll reports whether every certificate stands in a chain that was found.
func (f *facts) usesAll(certs []*x509.Certificate) bool {
	for _, cert := range certs {
		if !f.uses(cert) {
			return false
		}
	}
	return true
}

// uses reports whether this very certificate, not a copy, stands in a chain that was found.
func (f *facts) uses(cert *x509.Certificate) bool {
	return f.inChains(func(member *x509.Certificate) bool { return member == cert }) != nil
}

// ownCopy returns the certificate of a found chain that is the same, or cert itself.
func (f *facts) ownCopy(cert *x509.Certificate) *x509.Certificate {
	if member := f.inChains(cert.Equal); member != nil {
		return member
	}
	return cert
}

func (f *facts) inChains(is func(*x509.Certificate) bool) *x509.Certificate {
	for answer := range f.answers.all() {
		for _, chain := range answer.chains {
			for _, member := range chain.certs {
				if is(member) {
					return member
				}
			}
		}
	}
	return nil
}
