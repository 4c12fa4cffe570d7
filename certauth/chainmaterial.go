package certauth

import (
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// chainMaterial holds the CAs that a search uses: one state of each pool for the whole search.
type chainMaterial struct {
	roots         *reload.Loaded[chainsearch.Pool] // nil with the system's roots
	intermediates *reload.Loaded[chainsearch.Pool]
}

func (m chainMaterial) cas() chainsearch.CAs {
	cas := chainsearch.CAs{Intermediates: &m.intermediates.Value}
	if m.roots != nil {
		cas.Roots = &m.roots.Value
	}
	return cas
}

// keyOfIssuer returns the key of the name of the leaf's issuer.
func (f *facts) keyOfIssuer(cas chainsearch.CAs) string {
	return *remembered(&f.issuerKey, func() string { return cas.KeyOf(f.leaf.RawIssuer) })
}

// issuersSentAlong returns the keys of the issuers' names of the CAs that were sent along.
func (f *facts) issuersSentAlong(cas chainsearch.CAs) []string {
	if len(f.sent().certs) == 1 {
		return nil
	}
	return *remembered(&f.sentKeys, func() (keys []string) {
		for _, cert := range f.sent().certs[1:] {
			if !cert.IsCA {
				continue
			}
			if key := cas.KeyOf(cert.RawIssuer); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		return keys
	})
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
	if n.System != nil {
		return m, nil
	}
	if m.roots = n.roots.Current(); m.roots == nil || len(m.roots.Value.Certificates()) == 0 {
		return m, refusal(ReasonNotConfigured, "", "no roots")
	}
	return m, nil
}
