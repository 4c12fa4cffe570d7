package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// acceptDelta takes a delta CRL that stands among the lists. Which list it completes is
// decided when one is looked into: that may come later, from elsewhere in the Config or from a
// certificate.
func (m *localLists) acceptDelta(ctx context.Context, s *localSource, name string, response Response) error {
	c, now := m.checker, m.checker.config.Now()
	content, err := unwrapPEM(response.Body)
	if err != nil {
		return err
	}
	parsed, err := parseList(content, deltaList)
	if err != nil {
		return err
	}
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, nameText(parsed.issuer))
	var next *index
	var by []*authority
	for _, issuer := range m.issuers {
		if !dn.Match(parsed.issuer, issuer.cert().RawSubject) {
			continue
		}
		terms := c.listTerms(issuer, now)
		if next != nil {
			if _, _, err := openList(content, deltaList, issuer.cert(), &terms); err == nil {
				by = append(by, issuer)
			}
			continue
		}
		built, err := c.gate.operator().hand.build(ctx, func() (*CRL, error) { return parseDelta(content, issuer.cert(), &terms) })
		if err != nil {
			failed = err
			continue
		}
		next, by = &built.base, append(by, issuer)
	}
	if next == nil {
		return failed
	}
	if next.thisUpdate.After(now.Add(c.skew)) {
		return advise(helpClock, ErrNotFresh, "thisUpdate of the delta CRL, %s, lies ahead", instant(next.thisUpdate))
	}
	l := m.at(s, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.loaded != nil {
		m.setAside(s, name, l)
	}
	held := l.size()
	if l.delta != nil && sameExtension(l.delta.pointDER, next.pointDER) && next.standing().compare(l.delta.standing()) < 0 {
		return ErrRollback
	}
	if err := c.makeRoom(next.size()-held, nil, c.gate.operator(), now); err != nil {
		return err
	}
	m.bytes.Add(int64(next.size() - held))
	l.by, l.delta, l.told = by, next, false
	l.soft = c.softOf(&CRL{base: *next}, now, response.MaxAge)
	return nil
}

// parseDelta verifies a delta CRL for itself. The result is no list to look into.
func parseDelta(der []byte, issuer *x509.Certificate, terms *VerifyOptions) (*CRL, error) {
	parsed, by, err := openList(der, deltaList, issuer, terms)
	if err != nil {
		return nil, err
	}
	x, err := newIndex(parsed, by)
	if err != nil {
		return nil, err
	}
	return newCRL(issuer, x), nil
}

// setAside keeps what a file said that now holds something of another kind: it counts until it
// is replaced or runs out, like what was in a file that is gone.
func (m *localLists) setAside(s *localSource, name string, l *localList) {
	s.lists[fmt.Sprintf("%s, list %d", name, m.checker.generation.Add(1))] = &localList{by: l.by, loaded: l.loaded, delta: l.delta, told: true, gone: true}
	l.by, l.loaded, l.delta = nil, nil, nil
}

// loneDeltas names, once each, the deltas that complete none of the operator's lists.
func (m *localLists) loneDeltas(sources []*localSource) (names []string) {
	view := m.view.Load()
	for _, s := range sources {
		for name, l := range s.lists {
			if l.delta == nil || l.told || view.unread {
				continue
			}
			l.told = true
			if !view.continues(l) {
				names = append(names, name)
			}
		}
	}
	return names
}

// continues reports whether the delta belongs to a list that counts.
func (view *localView) continues(l *localList) bool {
	for _, by := range l.by {
		for _, list := range view.of[by.key] {
			if err := list.base.base.continuedBy(l.delta); err == nil || errors.Is(err, ErrRollback) {
				return true
			}
		}
	}
	return false
}
