package certauth

import (
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// chainMaterial holds the CAs that a search uses: one state of each pool for the whole search.
type chainMaterial struct {
	roots         *reload.Loaded[caPool] // nil with the system's roots
	intermediates *reload.Loaded[caPool]
}

// keyOfIssuer returns the key of the name of the leaf's issuer.
func (m chainMaterial) keyOfIssuer(f *facts) string {
	return *remembered(&f.issuerKey, func() string { return m.keyOf(f.leaf.RawIssuer) })
}

// keyOf is a faster nameKey for names that are written as in a configured CA.
func (m chainMaterial) keyOf(name []byte) string {
	if key, ok := m.intermediates.Value.spelled[string(name)]; ok {
		return key
	}
	if m.roots != nil {
		if key, ok := m.roots.Value.spelled[string(name)]; ok {
			return key
		}
	}
	return nameKey(name)
}

// issuersSentAlong returns the keys of the issuers' names of the CAs that were sent along.
func (m chainMaterial) issuersSentAlong(f *facts) []string {
	if len(f.sent().certs) == 1 {
		return nil
	}
	return *remembered(&f.sentKeys, func() (keys []string) {
		for _, cert := range f.sent().certs[1:] {
			if !cert.IsCA {
				continue
			}
			if key := m.keyOf(cert.RawIssuer); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		return keys
	})
}

// names reports whether a configured CA has the name with this key.
func (m chainMaterial) names(key string) bool {
	return m.roots != nil && m.roots.Value.bySubject[key] != nil || m.intermediates.Value.bySubject[key] != nil
}

func (m chainMaterial) generations() generations {
	g := generations{intermediates: m.intermediates.Generation}
	if m.roots != nil {
		g.roots = m.roots.Generation
	}
	return g
}

// generations returns the generations of the material in use.
func (n *chainNode) generations() generations {
	g := generations{intermediates: n.intermediates.Current().Generation}
	if n.roots != nil {
		g.roots = n.roots.Current().Generation
	}
	return g
}

func (n *chainNode) material() (chainMaterial, *Error) {
	m := chainMaterial{intermediates: n.intermediates.Current()}
	if n.system != nil {
		return m, nil
	}
	if m.roots = n.roots.Current(); m.roots == nil || len(m.roots.Value.certs) == 0 {
		return m, refusal(ReasonNotConfigured, "", "no roots")
	}
	return m, nil
}
