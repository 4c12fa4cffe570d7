package revocation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

var placeTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// listsByOneKey returns a CA, and lists of it with the numbers 1 and following, all of which are current.
func listsByOneKey(t *testing.T, n int) (issuer *x509.Certificate, lists []*loadedList) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: placeTime.Add(-time.Hour), NotAfter: placeTime.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	issuer, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	for number := range n {
		template := &x509.RevocationList{
			Number: big.NewInt(int64(number) + 1), ThisUpdate: placeTime.Add(time.Duration(number-n) * time.Minute), NextUpdate: placeTime.Add(time.Hour),
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, issuer, key)
		require.NoError(t, err)
		crl, err := evidence.ParseCRL(der, issuer, VerifyOptions{Now: placeTime})
		require.NoError(t, err)
		lists = append(lists, &loadedList{crl: crl, base: crl})
	}
	return issuer, lists
}

// The latest edition of each scope is remembered, whatever the order, and those of other scopes stay.
func TestPlace_RemembersTheLatestEditions(t *testing.T) {
	_, one := listsByOneKey(t, 2)
	_, other := listsByOneKey(t, 1)
	for name, order := range map[string][]*loadedList{"older first": {one[0], one[1]}, "newer first": {one[1], one[0]}} {
		t.Run(name, func(t *testing.T) {
			p := &place{}
			p.note(order)
			p.note(other)
			newest := *p.newest.Load()
			assert.Len(t, newest, 2)
			assert.Equal(t, one[1].edition(), newest[one[0].scope()])
			assert.Equal(t, other[0].edition(), newest[other[0].scope()])
		})
	}
}

// What is held is what is counted, and requests notice each change.
func TestKeeper_CountsWhatItHolds(t *testing.T) {
	c, err := New(Config{Now: func() time.Time { return placeTime }})
	require.NoError(t, err)
	p := &place{partner: &partner{}}
	_, one := listsByOneKey(t, 2)
	_, other := listsByOneKey(t, 1)
	changes := func(f func()) bool {
		before := c.generation.Load()
		f()
		return c.generation.Load() != before
	}
	holds := func(lists ...*loadedList) {
		t.Helper()
		count, size, _ := c.lists.count()
		assert.Equal(t, len(lists), count)
		assert.Equal(t, sizeOf(lists), size)
		assert.Equal(t, sizeOf(lists), c.lists.held[p])
	}
	put := func(next, old *loadedList) { require.NoError(t, c.lists.put(p, next, old)) }

	assert.True(t, changes(func() { put(one[0], nil) }))
	holds(one[0])
	assert.False(t, changes(func() { put(one[1], other[0]) }), "the list that it completes is gone")
	holds(one[0])
	assert.True(t, changes(func() { put(one[1], nil) }))
	holds(one[1])
	put(other[0], nil)
	holds(one[1], other[0])
	assert.False(t, c.lists.cut(p, func(*loadedList) bool { return false }))
	holds(one[1], other[0])
	assert.True(t, changes(func() {
		assert.True(t, c.lists.cut(p, func(l *loadedList) bool { return l.base == other[0].base }))
	}))
	holds(one[1])
	assert.True(t, changes(func() { c.lists.drop(p) }))
	holds()
	assert.Empty(t, c.lists.held)
	assert.Nil(t, p.first())
}

// finding K259: what was learned of the first of several configured lists, such as that its delta is missing, was forgotten
// if a view was made at the same time.
func TestLocalLists_AViewUndoesNoUpdateOfAList(t *testing.T) {
	issuer, one := listsByOneKey(t, 1)
	_, other := listsByOneKey(t, 1)
	c, err := New(Config{Now: func() time.Time { return placeTime }, Lists: []List{{File: "clients.crl"}}, Issuers: []*x509.Certificate{issuer}})
	require.NoError(t, err)
	l := c.local.at(c.local.sources[0], "clients.crl")
	for _, list := range []*loadedList{one[0], other[0]} {
		require.NoError(t, c.lists.put(&l.place, list, nil))
	}
	view, known := c.local.newView(), l.first()
	next := *known
	next.deltaMissing = true
	require.NoError(t, c.lists.put(&l.place, &next, known))
	assert.False(t, c.local.forgetGone(view))
	assert.True(t, l.first().deltaMissing)
}
