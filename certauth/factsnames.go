package certauth

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// certNames holds the names of the leaf as written.
type certNames struct {
	subject    parsedName
	alt        san.Names
	attributes [attributeKinds]atomic.Pointer[attributeValues]
	addresses  atomic.Pointer[[]netip.Addr] // of alt, sorted; nil until needed
}

// attributeValues holds the values of one attribute type in the subject.
type attributeValues struct {
	n        int       // all of them
	readable bool      // every value is text
	texts    []string  // sorted
	room     [1]string // for the texts, if there is one
}

// values returns the values of an attribute type.
func (n *certNames) values(kind *attributeKind) *attributeValues {
	if known := n.attributes[kind.slot].Load(); known != nil {
		return known
	}
	made := &attributeValues{readable: true}
	made.texts = made.room[:0]
	for _, rdn := range n.subject.name {
		for i := range rdn {
			switch {
			case rdn[i].OID != kind.oid:
				continue
			case rdn[i].Raw != nil:
				made.readable = false
			default:
				made.texts = append(made.texts, rdn[i].Text)
			}
			made.n++
		}
	}
	slices.Sort(made.texts)
	n.attributes[kind.slot].Store(made)
	return made
}

// sortedAddresses returns the IP addresses among the alternative names.
func (n *certNames) sortedAddresses() []netip.Addr {
	known := n.addresses.Load()
	if known == nil {
		sorted := slices.SortedFunc(slices.Values(n.alt.IPs), netip.Addr.Compare)
		known = &sorted
		n.addresses.Store(known)
	}
	return *known
}

// names returns the names of the leaf. They are parsed again after a release, because most
// policies use few of them.
func (f *facts) names() *certNames {
	if known := f.parsed.Load(); known != nil {
		return known
	}
	again := &certNames{}
	var err error
	if again.subject.name, err = dn.Parse(f.leaf.RawSubject); err != nil { // the certificate was changed after newFacts had parsed it
		again.subject.name = dn.Name{{{Raw: f.leaf.RawSubject}}}
	}
	if again.alt, err = san.Of(f.leaf); err != nil {
		again.alt = san.Unreadable(err)
	}
	f.parsed.Store(again)
	return again
}

// altKeys holds the names of one kind as rules list them.
type altKeys struct {
	list []string  // sorted
	all  bool      // every name of the kind has the syntax of the kind
	room [4]string // for the list, if it is not longer

	spelled atomic.Pointer[spelled] // nil until a rule under a Not needs it
}

func (f *facts) altKeys(kind *altKind) *altKeys {
	if known := f.alt[kind.slot].Load(); known != nil {
		return known
	}
	made := &altKeys{}
	if f.names().alt.Fault(kind.form) == nil {
		made.list, made.all = kind.keys(f, made.room[:0])
		slices.Sort(made.list)
	}
	f.alt[kind.slot].Store(made)
	return made
}

// spelled returns the names of the kind as rules under a Not compare them.
func (f *facts) spelled(kind *altKind) *spelled {
	keys := f.altKeys(kind)
	known := keys.spelled.Load()
	if known == nil {
		if names := kind.have(f); kind.most > 0 && len(names) > kind.most {
			known = &spelled{many: true}
		} else {
			known = kind.spell(names)
		}
		keys.spelled.Store(known)
	}
	return known
}
