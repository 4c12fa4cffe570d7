// Package chaingen makes random certificate chains for tests that compare the verdicts of several
// verifiers on the same chain: constraints of every form, usages, depths, path lengths, dates,
// spellings of names, self-issued and cross-signed CAs, key identifiers. About half of the chains
// are valid.
//
// The structure of a chain depends only on the seed and its number; keys and signatures are new
// each time.
package chaingen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Now is the time at which every chain is judged.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Chain is a leaf together with the certificates that are needed to judge it.
type Chain struct {
	Root   *x509.Certificate   // the trusted root
	Others []*x509.Certificate // CA certificates that are available but not trusted
	Stray  *x509.Certificate   // the one of Others that is in no path to the root; nil if there is none
	Leaf   *x509.Certificate
	Traits []string // everything unusual about it
}

// Has reports whether one of the chain's traits contains the words.
func (c Chain) Has(words string) bool {
	return slices.ContainsFunc(c.Traits, func(trait string) bool { return strings.Contains(trait, words) })
}

// PEM encodes the certificates, concatenated.
func PEM(certs ...*x509.Certificate) []byte {
	var all []byte
	for _, cert := range certs {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return all
}

// Generator makes the chains of one seed. It is not safe for concurrent use.
type Generator struct {
	seed uint64
	keys []*ecdsa.PrivateKey
}

// New makes a generator.
func New(seed uint64) (*Generator, error) {
	g := &Generator{seed: seed}
	for range 12 { // more than any chain has certificates, so that two share a key only on purpose
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		g.keys = append(g.keys, key)
	}
	return g, nil
}

// entity is a certificate that has been or will be made.
type entity struct {
	who        string // name in traits
	subject    []attribute
	key        *ecdsa.PrivateKey
	identifier []byte
	leaf       bool
	selfIssued bool
	cert       *x509.Certificate
}

// maker makes one chain.
type maker struct {
	*mathrand.Rand
	chain  Chain
	number int
}

func (m *maker) one(in int) bool { return m.IntN(in) == 0 }

func (m *maker) note(format string, args ...any) {
	m.chain.Traits = append(m.chain.Traits, fmt.Sprintf(format, args...))
}

// Chain makes the chain with that number. Errors come from this package or crypto/x509.
func (g *Generator) Chain(number int) (Chain, error) {
	m := &maker{Rand: mathrand.New(mathrand.NewPCG(g.seed, uint64(number))), number: number} //nolint:gosec // must be repeatable
	depth := 1 + m.IntN(5)
	path := []*entity{m.ca("root", 0, g.keys[0])}
	if err := m.issue(path[0], path[0], 0, depth-1); err != nil {
		return Chain{}, err
	}
	m.chain.Root = path[0].cert
	for i := 1; i < depth; i++ {
		parent := path[i-1]
		ca := m.ca(fmt.Sprintf("CA %d", i), i, g.keys[i])
		if m.one(12) {
			ca.subject, ca.selfIssued = parent.subject, true
			m.note("%s is self-issued", ca.who)
		}
		if err := m.issue(ca, parent, i, depth-1-i); err != nil {
			return Chain{}, err
		}
		m.chain.Others = append(m.chain.Others, ca.cert)
		path = append(path, ca)
	}
	if m.one(8) && depth > 1 { // the same name and key below an untrusted root
		stranger := m.ca("stranger", 8, g.keys[10])
		again := *path[1]
		again.who = "cross-signed CA 1"
		if err := m.issue(&again, stranger, 1, depth); err != nil {
			return Chain{}, err
		}
		m.chain.Others, m.chain.Stray = append(m.chain.Others, again.cert), again.cert
		m.note("cross-signed")
	}
	leaf := &entity{who: "leaf", leaf: true, key: g.keys[11], subject: m.subject("leaf", 9)}
	if err := m.issue(leaf, path[depth-1], depth, 0); err != nil {
		return Chain{}, err
	}
	m.chain.Leaf = leaf.cert
	m.Shuffle(len(m.chain.Others), func(i, j int) { m.chain.Others[i], m.chain.Others[j] = m.chain.Others[j], m.chain.Others[i] })
	return m.chain, nil
}

func (m *maker) ca(who string, at int, key *ecdsa.PrivateKey) *entity {
	return &entity{who: who, subject: m.subject(who, at), key: key, identifier: []byte{byte(at), 1, 2, 3}} //nolint:gosec // at most ten
}

// issue makes the certificate of an entity, issued by a parent, with the given numbers of CAs
// above and below it.
func (m *maker) issue(e, by *entity, above, below int) error {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(m.number)*100 + int64(above) + 1 + int64(len(m.chain.Others))*10),
		RawSubject:   encodeName(e.subject), NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(1, 0, 0),
	}
	switch m.IntN(100) {
	case 0:
		template.NotAfter = Now.Add(-time.Second)
		m.note("%s has expired", e.who)
	case 1:
		template.NotBefore = Now.Add(time.Second)
		m.note("%s is not valid yet", e.who)
	case 2:
		template.NotBefore, template.NotAfter = Now, Now.Add(time.Hour)
	}
	issuer, root := by.subject, e == by
	if !root {
		issuer = m.spelled(e.who, by.subject)
	} else {
		m.identify(e, nil, template)
	}
	if !root {
		m.identify(e, by, template)
	}
	if e.leaf {
		m.leafExtensions(template)
	} else {
		m.caExtensions(e, template, below)
	}
	signer := by.key
	if m.one(120) && !root {
		signer = e.key
		m.note("%s is signed with another key", e.who)
	}
	parent := &x509.Certificate{RawSubject: encodeName(issuer), PublicKey: signer.Public()}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, e.key.Public(), signer)
	if err != nil {
		return err
	}
	e.cert, err = x509.ParseCertificate(der)
	return err
}

// identify adds the key identifiers. If a CA has one, a few of its children name another.
func (m *maker) identify(e, by *entity, template *x509.Certificate) {
	if !e.leaf {
		if m.one(10) {
			e.identifier = nil
		} else {
			template.ExtraExtensions = append(template.ExtraExtensions, extension(false, octets(e.identifier), 2, 5, 29, 14))
		}
	}
	if by == nil {
		return
	}
	named := by.identifier
	switch {
	case m.one(60):
		named = []byte{0xFF, byte(m.IntN(100))} //nolint:gosec // at most 99
		m.note("%s names another key identifier", e.who)
	case m.one(10) || named == nil:
		return
	}
	template.ExtraExtensions = append(template.ExtraExtensions, extension(false, tlv(0x30, tlv(0x80, named)), 2, 5, 29, 35))
}

func extension(critical bool, value []byte, id ...int) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier(id), Critical: critical, Value: value}
}
