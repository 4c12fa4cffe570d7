package chaingen

import (
	"fmt"
	"slices"
	"strings"
)

// attribute is one part of a name.
type attribute struct {
	id   string // content of the OID
	tag  byte
	text string
}

const (
	utf8String, printableString, ia5String = 0x0C, 0x13, 0x16

	idCN    = "\x55\x04\x03"
	idO     = "\x55\x04\x0a"
	idC     = "\x55\x04\x06"
	idEmail = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"
)

// subject returns a name in one of two organizations.
func (m *maker) subject(who string, at int) []attribute {
	organization := "Partner Works"
	if m.one(6) {
		organization = "Other Works"
	}
	name := []attribute{{idC, printableString, "DE"}, {idO, utf8String, organization}, {idCN, utf8String, fmt.Sprintf("%s of chain %d %d", who, m.number, at)}}
	if who == "leaf" && m.one(6) {
		name = append(name, attribute{idEmail, ia5String, m.pick(mailboxes)})
		m.note("leaf has an e-mail address in the subject")
	}
	return name
}

// spelled returns the name in the spelling of another tool.
func (m *maker) spelled(who string, name []attribute) []attribute {
	if !m.one(8) {
		return name
	}
	name = slices.Clone(name)
	at := &name[1+m.IntN(2)]
	switch m.IntN(3) {
	case 0:
		at.tag = printableString
	case 1:
		at.text = strings.ToUpper(at.text)
	case 2:
		at.text = " " + strings.ReplaceAll(at.text, " ", "  ")
	}
	m.note("%s spells its issuer in another way", who)
	return name
}

func encodeName(name []attribute) []byte {
	var parts [][]byte
	for _, a := range name {
		parts = append(parts, tlv(0x31, tlv(0x30, oid(a.id), tlv(a.tag, []byte(a.text)))))
	}
	return tlv(0x30, parts...)
}

var (
	hosts     = []string{"a.host.example", "host.example", "b.other.example", "a.b.host.example"}
	mailboxes = []string{"a@host.example", "b@x.host.example", "a@other.example"}
	uris      = []string{"https://host.example/", "https://a.host.example/x", "https://other.example/"}
	addresses = []string{"\xc0\x00\x02\x09", "\x0a\x01\x01\x01", "\xcb\x00\x71\x01"}

	hostBases    = []string{"host.example", "other.example", ".host.example", "b.host.example"}
	mailBases    = []string{"host.example", ".host.example", "a@host.example", "other.example"}
	uriBases     = []string{"host.example", ".host.example", "other.example"}
	addressBases = []string{"\xc0\x00\x02\x00\xff\xff\xff\x00", "\x0a\x00\x00\x00\xff\x00\x00\x00"}
)

func (m *maker) pick(list []string) string { return list[m.IntN(len(list))] }

var (
	upnType      = oid("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03")
	registeredID = tlv(0x88, []byte("\x2a\x03\x05"))
)

func upn(text string) []byte { return tlv(0xA0, upnType, tlv(0xA0, tlv(utf8String, []byte(text)))) }

// names returns alternative names of a leaf.
func (m *maker) names() [][]byte {
	var names [][]byte
	for range m.IntN(3) {
		switch m.IntN(9) {
		case 0, 1:
			names = append(names, tlv(0x82, []byte(m.pick(hosts))))
		case 2:
			names = append(names, tlv(0x81, []byte(m.pick(mailboxes))))
		case 3:
			names = append(names, tlv(0x86, []byte(m.pick(uris))))
		case 4:
			names = append(names, tlv(0x87, []byte(m.pick(addresses))))
		case 5:
			names = append(names, tlv(0xA4, encodeName([]attribute{{idC, printableString, "DE"}, {idO, utf8String, m.pick([]string{"Partner Works", "Other Works"})}})))
		case 6:
			names = append(names, upn("jo@host.example"))
			m.note("leaf has a user principal name")
		case 7:
			names = append(names, registeredID)
			m.note("leaf has a registered ID")
		case 8:
			names = append(names, tlv(0x82, []byte("*.host.example")))
			m.note("leaf has a wildcard")
		}
	}
	return names
}

// constraints returns a nameConstraints extension with one or two subtrees.
func (m *maker) constraints(who string) []byte {
	var permitted, excluded [][]byte
	for range 1 + m.IntN(2) {
		base := m.base(who)
		subtree := tlv(0x30, base)
		if m.one(15) {
			subtree = tlv(0x30, base, tlv(0x81, []byte{3}))
			m.note("%s has a maximum in its constraints", who)
		}
		if m.one(3) {
			excluded = append(excluded, subtree)
		} else {
			permitted = append(permitted, subtree)
		}
	}
	var parts [][]byte
	if len(permitted) > 0 {
		parts = append(parts, tlv(0xA0, permitted...))
	}
	if len(excluded) > 0 {
		parts = append(parts, tlv(0xA1, excluded...))
	}
	m.note("%s has name constraints", who)
	return tlv(0x30, parts...)
}

func (m *maker) base(who string) []byte {
	switch m.IntN(10) {
	case 0, 1:
		base := m.pick(hostBases)
		if base[0] == '.' {
			m.note("%s constrains DNS names with a dot in front", who)
		}
		return tlv(0x82, []byte(base))
	case 2:
		m.note("%s constrains e-mail addresses", who)
		return tlv(0x81, []byte(m.pick(mailBases)))
	case 3:
		m.note("%s constrains URIs", who)
		return tlv(0x86, []byte(m.pick(uriBases)))
	case 4:
		m.note("%s constrains IP addresses", who)
		return tlv(0x87, []byte(m.pick(addressBases)))
	case 5:
		m.note("%s constrains user principal names", who)
		return upn("jo@host.example")
	case 6:
		m.note("%s constrains registered IDs", who)
		return registeredID
	}
	m.note("%s constrains directory names", who)
	organization := attribute{idO, utf8String, "Partner Works"}
	switch m.IntN(4) {
	case 0:
		organization.text = "PARTNER  works"
	case 1:
		organization.tag = printableString
	case 2:
		organization.text = "Other Works"
	}
	return tlv(0xA4, encodeName([]attribute{{idC, printableString, "DE"}, organization}))
}
