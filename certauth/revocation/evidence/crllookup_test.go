package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

func parse(t testing.TB, issuer *identity, der []byte) *evidence.CRL {
	t.Helper()
	list, err := evidence.ParseCRL(der, issuer.cert, at(now))
	require.NoError(t, err)
	return list
}

// entryOf returns an entry for the content of an INTEGER.
func entryOf(serial []byte, extensions ...ocsptest.Extension) ocsptest.Entry {
	return ocsptest.Entry{
		Serial: ocsptest.Element(ocsptest.TagInteger, serial), RevokedAt: ocsptest.UTCAt(now.Add(-2 * day)), Extensions: extensions,
	}
}

func subjectOf(t testing.TB, of *identity) evidence.Subject {
	t.Helper()
	s, err := evidence.NewSubject(of.cert)
	require.NoError(t, err)
	return s
}

// listSays returns the status and reason that a list gives for a serial number, for a certificate
// that otherwise equals the subject.
func listSays(t testing.TB, list *evidence.CRL, like evidence.Subject, serial []byte) string {
	t.Helper()
	like = like.WithSerial(serial)
	o := at(now)
	result, err := list.LookupSubject(&like, &o)
	if err != nil {
		t.Fatal(err)
	}
	return statusText(result)
}

func statusText(result evidence.Result) string {
	switch {
	case result.Status == evidence.Good && result.Reason == evidence.ReasonUnspecified:
		return saysGood
	case result.Status == evidence.Revoked && result.Reason == evidence.ReasonUnspecified:
		return saysRevoked
	case result.Status == evidence.Revoked && result.Reason == evidence.ReasonCertificateHold:
		return saysHeld
	}
	return fmt.Sprint(result.Status, result.Reason)
}

const (
	saysGood    = "good"
	saysRevoked = "revoked"
	saysHeld    = "on hold"
)

// randomSerial returns the content of a minimal INTEGER of n octets, with any sign.
func randomSerial(random *rand.Rand, n int) []byte {
	for {
		content := make([]byte, n)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		if n == 1 || (content[0] != 0 || content[1] >= 0x80) && (content[0] != 0xFF || content[1] < 0x80) {
			return content
		}
	}
}

// Rules C7 and C8 and section 10: serial numbers of every length and sign, in any order, are found,
// and no others.
func TestCRL_SerialNumbers(t *testing.T) {
	s := newScene(t)
	client := subjectOf(t, s.client)
	random := rand.New(rand.NewPCG(1, 2))
	var serials [][]byte
	for length := 1; length <= 30; length++ {
		for range min(60, 1<<length) {
			serials = append(serials, randomSerial(random, length))
		}
		// Neighbours that differ in the last octet, and the extreme values of the length.
		last := randomSerial(random, length)
		for _, end := range []byte{0x10, 0x11, 0x13} {
			last[length-1] = end
			serials = append(serials, bytes.Clone(last))
		}
		ends := bytes.Repeat([]byte{0xFF}, length)
		ends[0] = 0x7F
		lowest := make([]byte, length)
		lowest[0] = 0x80
		serials = append(serials, ends, lowest)
	}
	listed := map[string]bool{string(s.other.cert.SerialNumber.Bytes()): true} // s.list() names it
	for _, serial := range serials {
		listed[string(serial)] = true
	}
	for name, order := range map[string]func(){
		"in no order": func() {},
		"sorted":      func() { slices.SortFunc(serials, bytes.Compare) },
		"reversed":    func() { slices.SortFunc(serials, func(a, b []byte) int { return bytes.Compare(b, a) }) },
		"by length": func() {
			slices.SortFunc(serials, func(a, b []byte) int { return slices.Compare([]int{len(a)}, []int{len(b)}) })
		},
	} {
		t.Run("rule C8 "+name, func(t *testing.T) {
			order()
			l := s.list()
			for _, serial := range serials {
				l.Entries = append(l.Entries, entryOf(serial))
			}
			list := parse(t, s.ca, encode(t, l))
			assert.Equal(t, len(serials)+1, list.Entries())
			for _, serial := range serials {
				require.Equal(t, saysRevoked, listSays(t, list, client, serial), "%x", serial)
				for i := range serial {
					for _, bit := range []byte{0x01, 0x80} {
						other := bytes.Clone(serial)
						other[i] ^= bit
						if !listed[string(other)] {
							require.Equal(t, saysGood, listSays(t, list, client, other), "%x beside %x", other, serial)
						}
					}
				}
				for _, other := range [][]byte{append(bytes.Clone(serial), 0), append([]byte{0}, serial...), serial[1:], serial[:len(serial)-1]} {
					if !listed[string(other)] {
						require.Equal(t, saysGood, listSays(t, list, client, other), "%x beside %x", other, serial)
					}
				}
			}
		})
	}
}

// Rule C8: the same serial number twice, in any order and of any length.
func TestCRL_SameSerialTwice(t *testing.T) {
	s := newScene(t)
	client := subjectOf(t, s.client)
	random := rand.New(rand.NewPCG(3, 4))
	revoked, held := ocsptest.ReasonCode(1), ocsptest.ReasonCode(6)
	for _, length := range []int{1, 2, 16, 20, 24, 25, 30} {
		serial := randomSerial(random, length)
		for _, c := range []struct {
			name    string
			reasons []ocsptest.Extension
			want    string
		}{
			{"a hold", []ocsptest.Extension{held}, saysHeld},
			{"two holds", []ocsptest.Extension{held, held}, saysHeld},
			{"a hold and a revocation", []ocsptest.Extension{held, revoked}, saysRevoked},
			{"a revocation and a hold", []ocsptest.Extension{revoked, held}, saysRevoked},
			{"two revocations", []ocsptest.Extension{revoked, revoked}, saysRevoked},
			{"a hold, a revocation and a hold", []ocsptest.Extension{held, revoked, held}, saysRevoked},
		} {
			t.Run(fmt.Sprintf("rule C8 %s, %d octets", c.name, length), func(t *testing.T) {
				l := s.list()
				for i, reason := range c.reasons {
					l.Entries = append(l.Entries, entryOf(serial, reason), entryOf(randomSerial(random, length+1+i)))
				}
				assert.Equal(t, c.want, listSays(t, parse(t, s.ca, encode(t, l)), client, serial))
			})
		}
	}
}

// Random lists: crypto/x509 reads the same entries, and the strictest of them counts.
func TestCRL_AgreesWithX509OnRandomLists(t *testing.T) {
	s := newScene(t)
	client := subjectOf(t, s.client)
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 5))
		var serials [][]byte
		for range random.IntN(400) {
			serials = append(serials, randomSerial(random, 1+random.IntN(26)))
		}
		l := s.list()
		for range serials {
			serial := serials[random.IntN(len(serials))]
			var extensions []ocsptest.Extension
			switch random.IntN(4) {
			case 0:
				extensions = append(extensions, ocsptest.ReasonCode(6))
			case 1:
				extensions = append(extensions, ocsptest.ReasonCode([]byte{0, 1, 2, 3, 4, 5, 9, 10}[random.IntN(8)]))
			case 2:
				extensions = append(extensions, ocsptest.Extension{OID: ocsptest.OIDInvalidityDate, Value: ocsptest.At(now)}, ocsptest.ReasonCode(6))
			}
			l.Entries = append(l.Entries, entryOf(serial, extensions...))
		}
		der := encode(t, l)
		theirs := entriesOf(t, der)
		list := parse(t, s.ca, der)
		for range 200 {
			serials = append(serials, randomSerial(random, 1+random.IntN(26)))
		}
		for _, serial := range serials {
			require.Equal(t, theirs.says(serial), listSays(t, list, client, serial), "list %d, %x", seed, serial)
		}
	}
}

// x509Entries maps each number to the reasons that crypto/x509 finds for it.
type x509Entries map[string][]int

func entriesOf(t testing.TB, der []byte) x509Entries {
	t.Helper()
	list, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	entries := x509Entries{}
	for _, e := range list.RevokedCertificateEntries {
		key := e.SerialNumber.String()
		entries[key] = append(entries[key], e.ReasonCode)
	}
	return entries
}

// number returns the value of the content of an INTEGER.
func number(content []byte) *big.Int {
	n := new(big.Int).SetBytes(content)
	if len(content) > 0 && content[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(content))))
	}
	return n
}

// contentOf returns the content of an INTEGER.
func contentOf(t testing.TB, n *big.Int) []byte {
	t.Helper()
	var content asn1.RawValue
	_, err := asn1.Unmarshal(ocsptest.Integer(n), &content)
	require.NoError(t, err)
	return content.Bytes
}

func (e x509Entries) says(serial []byte) string {
	said := saysGood
	for _, reason := range e[number(serial).String()] {
		if reason != evidence.ReasonCertificateHold {
			return saysRevoked
		}
		said = saysHeld
	}
	return said
}

// Section 10: nothing of the DER is kept. Its owner may overwrite it.
func TestCRL_KeepsNothingOfTheDER(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	client := subjectOf(t, s.client)
	l := s.withPoint(uri(shardA))
	long := bytes.Repeat([]byte{0x55}, 27)
	l.Entries = append(l.Entries, entryOf(long), entryOf([]byte{3}, ocsptest.ReasonCode(6)))
	l.Extensions = append(l.Extensions, ocsptest.FreshestCRL(ocsptest.Point(uri("http://crl.example/delta"))))
	d := s.delta(7, 8, entryOf([]byte{4}))
	d.Extensions = append(d.Extensions, ocsptest.IssuingPoint(uri(shardA)))
	der, delta := encode(t, l), encode(t, d)
	issuer, err := x509.ParseCertificate(bytes.Clone(s.ca.cert.Raw))
	require.NoError(t, err)
	base, err := evidence.ParseCRL(der, issuer, at(now))
	require.NoError(t, err)
	merged, err := base.WithDelta(delta, issuer, at(now))
	require.NoError(t, err)
	for _, overwritten := range [][]byte{der, delta, issuer.Raw} {
		clear(overwritten)
	}
	for name, list := range map[string]*evidence.CRL{"the list": base, "with a delta": merged} {
		for serial, want := range map[string]string{string(long): saysRevoked, "\x03": saysHeld, "\x05": saysGood} {
			assert.Equal(t, want, listSays(t, list, client, []byte(serial)), "%s, %x", name, serial)
		}
		result, err := list.Lookup(s.other.cert, at(now))
		assert.ErrorIs(t, err, evidence.ErrCRLScope, "%s: without a distribution point", name)
		assert.Equal(t, evidence.Result{}, result)
		assert.Equal(t, []string{"http://crl.example/delta"}, list.FreshestURLs(), name)
	}
	assert.Equal(t, saysRevoked, listSays(t, merged, client, []byte{4}))
	assert.Greater(t, merged.Size(), base.Size())
	again, err := base.WithDelta(encode(t, d), s.ca.cert, at(now))
	require.NoError(t, err, "the values with which a delta is compared are intact")
	assert.NoError(t, merged.CheckNewer(again))
}

// Cases 88 and 100, and what a list says about itself.
func TestParseCRL_Arguments(t *testing.T) {
	s := newScene(t)
	der := encode(t, s.list())
	for name, c := range map[string]struct {
		issuer *x509.Certificate
		now    time.Time
	}{
		"case 100 no issuer":       {nil, now},
		"case 100 an empty issuer": {&x509.Certificate{}, now},
		"case 100 no time":         {s.ca.cert, time.Time{}},
	} {
		list, err := evidence.ParseCRL(der, c.issuer, at(c.now))
		assert.ErrorIs(t, err, evidence.ErrArgument, name)
		assert.Nil(t, list, name)
	}
	list := parse(t, s.ca, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	for name, c := range map[string]struct {
		list *evidence.CRL
		cert *x509.Certificate
		o    evidence.VerifyOptions
		err  error
	}{
		"case 100 no certificate":                        {list, nil, at(now), evidence.ErrArgument},
		"case 100 an empty certificate":                  {list, &x509.Certificate{}, at(now), evidence.ErrArgument},
		"case 100 no moment":                             {list, s.client.cert, evidence.VerifyOptions{}, evidence.ErrArgument},
		"case 100 no list":                               {nil, s.client.cert, at(now), evidence.ErrArgument},
		"case 100 a list that was never parsed":          {&evidence.CRL{}, s.client.cert, at(now), evidence.ErrIssuerMismatch},
		"case 98 a certificate of another issuer":        {list, s.ca.cert, at(now), evidence.ErrIssuerMismatch},
		"case 98 a certificate of a CA of a folded name": {list, folded(t, s).cert, at(now), evidence.ErrIssuerMismatch},
	} {
		result, err := c.list.Lookup(c.cert, c.o)
		t.Run(name, func(t *testing.T) { expect(t, result, err, evidence.Unavailable, c.err) })
	}
	for _, none := range []*evidence.CRL{nil, {}} {
		assert.Zero(t, none.Edition())
	}
	assert.Equal(t, now.Add(-time.Hour), list.ThisUpdate())
	assert.Equal(t, now.Add(day), list.NextUpdate())
	assert.Equal(t, big.NewInt(7), list.Number())
	assert.Equal(t, 1, list.Entries())
	assert.Empty(t, list.FreshestURLs())
	bare := s.list()
	bare.Extensions, bare.NextUpdate, bare.Entries = nil, nil, nil
	list = parse(t, s.ca, encode(t, bare))
	assert.Nil(t, list.Number())
	assert.True(t, list.NextUpdate().IsZero())
	assert.Zero(t, list.Entries())
}

// folded returns a certificate of a CA whose name differs only in case.
func folded(t testing.TB, s *scene) *identity {
	t.Helper()
	other := makeCert(t, "clients ca", newKey(t), s.root, asCA)
	return makeCert(t, "client", newKey(t), other, asClient)
}

// Case 84, rule C9: which list may follow which.
func TestCRL_CheckNewer(t *testing.T) {
	s := newScene(t)
	const none = -1
	base := now.Add(-2 * time.Hour)
	list := func(number int64, later time.Duration, extensions ...ocsptest.Extension) *evidence.CRL {
		l := s.list()
		l.ThisUpdate, l.Extensions = ocsptest.UTCAt(base.Add(later)), extensions
		if number != none {
			l.Extensions = append(l.Extensions, ocsptest.CRLNumber(number))
		}
		return parse(t, s.ca, encode(t, l))
	}
	shard := func(name string) ocsptest.Extension { return ocsptest.IssuingPoint(uri(name)) }
	another := makeCert(t, "Other CA", newKey(t), s.root, asCA)
	foreign := s.list()
	foreign.Issuer, foreign.Key, foreign.Extensions = another.cert.RawSubject, another.key, []ocsptest.Extension{ocsptest.CRLNumber(9)}
	rollback, scope := evidence.ErrRollback, evidence.ErrCRLScope
	known := list(7, 0)
	for _, c := range []struct {
		name        string
		known, next *evidence.CRL
		err         error
	}{
		{"case 84 itself", known, known, nil},
		{"case 84 a higher number", known, list(8, time.Hour), nil},
		{"case 84 a higher number, earlier", known, list(8, -time.Hour), nil},
		{"case 84 a lower number", known, list(6, time.Hour), rollback},
		{"case 84 the same number, later", known, list(7, time.Second), nil},
		{"case 84 the same number and moment", known, list(7, 0), nil},
		{"case 84 the same number, earlier", known, list(7, -time.Second), rollback},
		{"case 84 no number, later", known, list(none, time.Second), nil},
		{"case 84 no number, earlier", known, list(none, -time.Second), rollback},
		{"case 84 no numbers, earlier", list(none, 0), list(none, -time.Second), rollback},
		{"case 84 no numbers, later", list(none, 0), list(none, time.Second), nil},
		{"case 84 the same shard, a lower number", list(7, 0, shard(shardA)), list(6, 0, shard(shardA)), rollback},
		{"case 84 the same shard, a higher number", list(7, 0, shard(shardA)), list(8, 0, shard(shardA)), nil},
		{"case 76 another shard", list(7, 0, shard(shardA)), list(8, 0, shard(shardB)), scope},
		{"case 76 a shard after the whole", known, list(8, 0, shard(shardA)), scope},
		{"case 76 the whole after a shard", list(7, 0, shard(shardA)), list(8, 0), scope},
		{"case 73 another issuer", known, parse(t, another, encode(t, foreign)), evidence.ErrCRLIssuer},
		{"case 100 nothing", known, nil, evidence.ErrArgument},
		{"case 100 after nothing", nil, known, evidence.ErrArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.known.CheckNewer(c.next)
			if c.err == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, c.err)
			}
		})
	}
}

// Rules C3 and C6 on one list for many certificates: each gets its own answer.
func TestCRL_LookupForMany(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	l := s.withPoint(uri(shardA), ocsptest.Flag(1))
	sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA, point(uri(shardA)))
	elsewhere := makeCert(t, "elsewhere", newKey(t), s.ca, asClient, point(uri(shardB)))
	third := makeCert(t, "third", newKey(t), s.ca, asClient, point(uri(shardA)))
	l.Entries = append(l.Entries, entryFor(third, ocsptest.ReasonCode(1)), entryFor(elsewhere))
	list := parse(t, s.ca, encode(t, l))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				for _, c := range []struct {
					of     *identity
					status evidence.Status
					err    error
				}{
					{s.client, evidence.Good, nil},
					{third, evidence.Revoked, nil},
					{sub, evidence.Unavailable, evidence.ErrCRLScope},
					{elsewhere, evidence.Unavailable, evidence.ErrCRLScope},
				} {
					result, err := list.Lookup(c.of.cert, at(now))
					assert.Equal(t, c.status, result.Status)
					assert.ErrorIs(t, err, c.err)
				}
			}
		})
	}
	group.Wait()
	later := at(now.Add(day + skew + time.Second))
	result, err := list.Lookup(third.cert, later)
	expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
	assert.True(t, result.StaleRevoked)
	result, err = list.Lookup(s.client.cert, later)
	expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
	assert.False(t, result.StaleRevoked)
}
