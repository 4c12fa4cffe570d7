package chaingen

import (
	"crypto/x509"
)

var (
	clientAuth  = oid("\x2b\x06\x01\x05\x05\x07\x03\x02")
	serverAuth  = oid("\x2b\x06\x01\x05\x05\x07\x03\x01")
	codeSigning = oid("\x2b\x06\x01\x05\x05\x07\x03\x03")
	anyUsage    = oid("\x55\x1d\x25\x00")
)

// The bits of a key usage in DER: the number of unused bits, and the bits.
var (
	digitalSignature = []byte{7, 0x80}
	nonRepudiation   = []byte{6, 0x40}
	keyEncipherment  = []byte{5, 0x20}
	keyAgreement     = []byte{3, 0x08}
	certSign         = []byte{1, 0x06} // and cRLSign
	crlSign          = []byte{1, 0x02}
	noUsage          = []byte{0}
)

func (m *maker) caExtensions(e *entity, template *x509.Certificate, below int) {
	add := func(critical bool, value []byte, id ...int) {
		template.ExtraExtensions = append(template.ExtraExtensions, extension(critical, value, id...))
	}
	isCA := tlv(1, []byte{0xFF})
	switch m.IntN(80) {
	case 0:
		m.note("%s has no basic constraints", e.who)
	case 1:
		add(true, tlv(0x30), 2, 5, 29, 19)
		m.note("%s is no CA", e.who)
	case 2, 3:
		if below > 0 {
			add(true, tlv(0x30, isCA, tlv(2, []byte{byte(below - 1)})), 2, 5, 29, 19) //nolint:gosec // at most five
			m.note("%s allows one CA too few", e.who)
			break
		}
		fallthrough
	case 4, 5, 6:
		add(true, tlv(0x30, isCA, tlv(2, []byte{byte(below)})), 2, 5, 29, 19) //nolint:gosec // at most five
		m.note("%s has a path length", e.who)
	default:
		add(true, tlv(0x30, isCA), 2, 5, 29, 19)
	}
	switch m.IntN(100) {
	case 0:
		add(true, tlv(3, crlSign), 2, 5, 29, 15)
		m.note("%s may not sign certificates", e.who)
	case 1:
		add(true, tlv(3, noUsage), 2, 5, 29, 15)
		m.note("%s has an empty key usage", e.who)
	case 2, 3, 4, 5:
	default:
		add(true, tlv(3, certSign), 2, 5, 29, 15)
	}
	switch m.IntN(120) {
	case 0:
		add(false, tlv(0x30, serverAuth), 2, 5, 29, 37)
		m.note("%s is for serverAuth", e.who)
	case 1:
		add(false, tlv(0x30, codeSigning), 2, 5, 29, 37)
		m.note("%s is for codeSigning", e.who)
	case 2:
		add(false, tlv(0x30, anyUsage), 2, 5, 29, 37)
		m.note("%s has any extended key usage", e.who)
	case 3:
		add(false, tlv(0x30), 2, 5, 29, 37)
		m.note("%s has an empty extended key usage", e.who)
	case 4, 5, 6, 7, 8:
		add(m.one(3), tlv(0x30, clientAuth, serverAuth), 2, 5, 29, 37)
	}
	if m.one(7) {
		add(m.one(2), m.constraints(e.who), 2, 5, 29, 30)
	}
	m.common(e.who, add)
}

func (m *maker) leafExtensions(template *x509.Certificate) {
	add := func(critical bool, value []byte, id ...int) {
		template.ExtraExtensions = append(template.ExtraExtensions, extension(critical, value, id...))
	}
	switch m.IntN(40) {
	case 0:
		add(true, tlv(0x30, tlv(1, []byte{0xFF})), 2, 5, 29, 19)
		m.note("leaf is a CA")
	case 1, 2:
	default:
		add(true, tlv(0x30), 2, 5, 29, 19)
	}
	usages := [][]byte{nonRepudiation, keyEncipherment, crlSign, noUsage, keyAgreement, digitalSignature, digitalSignature, digitalSignature, digitalSignature, digitalSignature, digitalSignature, digitalSignature}
	if at := m.IntN(2*len(usages) + 6); at < len(usages) {
		add(true, tlv(3, usages[at]), 2, 5, 29, 15)
		if at < 4 {
			m.note("leaf may neither sign nor agree on keys")
		}
		if at == 3 {
			m.note("leaf has an empty key usage")
		}
	}
	switch m.IntN(35) {
	case 0:
		add(false, tlv(0x30, serverAuth), 2, 5, 29, 37)
		m.note("leaf is for serverAuth")
	case 1:
		add(false, tlv(0x30, anyUsage), 2, 5, 29, 37)
		m.note("leaf has any extended key usage")
	case 2:
		add(false, tlv(0x30), 2, 5, 29, 37)
		m.note("leaf has an empty extended key usage")
	case 3, 4, 5:
	default:
		add(m.one(4), tlv(0x30, clientAuth), 2, 5, 29, 37)
	}
	if names := m.names(); len(names) > 0 {
		add(false, tlv(0x30, names...), 2, 5, 29, 17)
	}
	m.common("leaf", add)
}

// common adds extensions that both leaves and CAs may have.
func (m *maker) common(who string, add func(critical bool, value []byte, id ...int)) {
	policy := tlv(0x30, tlv(0x30, oid("\x2a\x03\x04"))) // 1.2.3.4
	switch m.IntN(120) {
	case 0:
		add(true, tlv(5), 1, 3, 6, 1, 4, 1, 99999, 1)
		m.note("%s has a critical extension that nobody knows", who)
	case 1:
		add(false, tlv(5), 1, 3, 6, 1, 4, 1, 99999, 1)
	case 2:
		add(m.one(2), tlv(0x30, tlv(0x80, []byte{0})), 2, 5, 29, 36)
		m.note("%s requires an explicit policy", who)
	case 3, 4, 5, 6:
		add(m.one(3), policy, 2, 5, 29, 32)
		m.note("%s has a policy", who)
	}
}

// tlv encodes one DER element of fewer than 65536 bytes.
func tlv(tag byte, parts ...[]byte) []byte {
	var content []byte
	for _, part := range parts {
		content = append(content, part...)
	}
	n := len(content)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	}
	return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...) //nolint:gosec // see above
}

func octets(content []byte) []byte { return tlv(4, content) }

func oid(content string) []byte { return tlv(6, []byte(content)) }
