package certauth

import (
	"crypto/x509"
	"slices"
	"sync/atomic"
	"weak"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// maxSentAlong bounds the remembered size of the certificates that a caller sends along with its
// own, in bytes of the offer. A certificate with more is judged as new each time. Otherwise a
// client with an accepted certificate could fill the memory with arbitrary data.
const maxSentAlong = 8 << 10

// sent holds the certificates that a source returned, leaf first.
type sent struct {
	certs []*x509.Certificate
	room  [1]*x509.Certificate // backs certs if the leaf came alone
}

func newSent(certs ...*x509.Certificate) *sent {
	s := &sent{}
	s.certs = append(s.room[:0], certs...)
	return s
}

// sentCertificates keeps them without holding useless ones in the cache: after the release,
// certificates that are part of no chain are kept only as long as something else refers to them,
// and are read again from the key when they are needed.
type sentCertificates struct {
	held  atomic.Pointer[sent] // nil once released
	known atomic.Pointer[weak.Pointer[sent]]
	last  atomic.Pointer[weak.Pointer[Identity]] // replaces facts.identity, which would keep them alive
}

// sent returns the certificates that the source returned.
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

// release drops the names, which can be parsed again, and the certificates that are part of no
// chain, which can be read again from the key. The key must be a copy by then.
func (f *facts) release() {
	f.parsed.Store(nil)
	held := f.presented.held.Load()
	if held == nil || !slices.ContainsFunc(held.certs[1:], func(cert *x509.Certificate) bool { return !f.uses(cert) }) {
		return
	}
	known := weak.Make(held)
	f.presented.known.Store(&known)
	f.presented.held.Store(nil)
	if id := f.identity.Load(); id != nil {
		f.handOut(id)
	}
}

// handedOut returns the identity of the last request, or nil.
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
	if f.presented.held.Load() == nil { // after the store, because release may run concurrently
		last := weak.Make(id)
		f.presented.last.Store(&last)
		f.identity.Store(nil)
	}
}

// readAgain reads the certificates from the key. If the source no longer reads the same leaf from
// the same texts, only the known leaf is returned.
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
		if member := f.inChains(cert.Equal); member != nil {
			certs[i] = member
		}
	}
	certs[0] = f.leaf
	return newSent(certs...)
}

// readKey reads the certificates of a key.
func readKey(k source.Key, by *source.Reader) ([]*x509.Certificate, error) {
	if by != nil {
		certs, err := by.Decode(k.Offer(), nil)
		return slices.Clone(certs), err
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

// uses reports whether this certificate itself, not a copy, is part of a chain that was found.
func (f *facts) uses(cert *x509.Certificate) bool {
	return f.inChains(func(member *x509.Certificate) bool { return member == cert }) != nil
}

// inChains returns a certificate of a chain that was found.
func (f *facts) inChains(is func(*x509.Certificate) bool) *x509.Certificate {
	for answer := range f.answers.all() {
		for _, chain := range slices.Concat(answer.chains, answer.invalid) {
			for _, member := range chain.certs {
				if is(member) {
					return member
				}
			}
		}
	}
	return nil
}
