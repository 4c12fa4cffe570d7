package revocation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// accept verifies a list or delta of the operator and puts it in its place. If the list before it
// has another scope, that one still counts until it expires. A list counts before its delta is
// fetched. Which list a delta continues is decided at each look-up, because that list may arrive
// later, from another entry of Config.Lists or from a certificate.
func (m *localLists) accept(ctx context.Context, s *localSource, l *localList, response *inHand) error {
	c := m.checker
	next, err := m.verify(ctx, response.Body)
	if err != nil {
		return err
	}
	next.url, next.etag, next.lastModified = s.list.URL, response.ETag, response.LastModified
	response.drop()
	if err := m.put(s, l, next, response.MaxAge); err != nil || next.lone != nil {
		return err
	}
	if c.wantsDelta(next.base, &l.place) && !c.config.IgnoreCertificateURLs {
		if s.list.URL == "" {
			m.mu.Lock()
			defer m.mu.Unlock()
			l.deltaDue = c.config.Now()
			return nil
		}
		m.swap(ctx)
	}
	return m.refine(ctx, l)
}

// put lets a list count unless it is older than those before it.
func (m *localLists) put(s *localSource, l *localList, next *loadedList, maxAge time.Duration) error {
	c := m.checker
	m.mu.Lock()
	defer m.mu.Unlock()
	now := c.config.Now()
	if err := c.admit(&l.place, next, c.silence(next.edition(), now), m.view.Load().hasLike(next)); err != nil {
		return err
	}
	next.fetched = now
	if s.list.URL != "" { // a file is read again only when it changes
		next.soft = c.softOf(c.renewed(&l.place, next), now, maxAge)
	}
	l.told, l.deltaDue = false, time.Time{}
	return c.lists.put(&l.place, next, nil)
}

func (m *localLists) refine(ctx context.Context, l *localList) error {
	c, held := m.checker, l.first()
	err := c.refine(ctx, &l.place)
	m.mu.Lock()
	defer m.mu.Unlock()
	if list := l.first(); held != nil && held.url == "" && list != nil && list.lone == nil && list.base == held.base { // still in the file
		l.deltaDue = c.softOf(c.renewed(&l.place, list), c.config.Now(), 0)
		if err != nil { // no room for the delta
			l.deltaDue = c.config.Now()
		}
	}
	return err
}

// incomplete returns the lists of a file or directory whose deltas are due.
func (m *localLists) incomplete(s *localSource) (lists []*localList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, anew := m.checker.config.Now(), m.anew.Load()
	for _, l := range s.lists {
		if !l.deltaDue.IsZero() && (s.asked < anew || hasCome(l.deltaDue, now, maxSoftCRL)) {
			lists = append(lists, l)
		}
	}
	s.asked = anew
	return lists
}

// complete fetches the deltas of files concurrently, because they may belong to several partners.
func (m *localLists) complete(ctx context.Context, lists []*localList) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	failed := make([]error, len(lists))
	var all sync.WaitGroup
	for i, l := range lists {
		all.Go(func() {
			failed[i] = guarded(func() error { return m.refine(ctx, l) })
			m.swap(ctx)
		})
	}
	all.Wait()
	err := errors.Join(failed...)
	if err != nil {
		m.checker.complainOnce(ctx, unreadable, err)
	}
	return err
}

// verify returns the list with the CAs among Issuers to which it belongs: the one that signed it, or
// several of its name if one of Verify.CRLIssuers signs for all of them. Its other signers do not count here: a
// CA that signs its lists with another key is among Issuers with both, and listsOf finds the lists
// of either. A list that belonged to a CA by another signer would displace the list of that CA's own key.
func (m *localLists) verify(ctx context.Context, content []byte) (*loadedList, error) {
	there, isDelta, err := evidence.ReadEdition(content)
	if err != nil {
		return nil, err
	}
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, dn.Quote(there.Issuer()))
	var next *loadedList
	for _, issuer := range m.issuers {
		if !dn.Match(there.Issuer(), issuer.cert().RawSubject) {
			continue
		}
		one := &loadedList{}
		one.base, err = m.checker.partners.operator.build(ctx, func() (crl *evidence.CRL, err error) {
			terms := m.checker.terms(m.checker.config.Now())
			if isDelta {
				one.lone, err = evidence.ParseDelta(content, issuer.cert(), terms)
				return nil, err
			}
			return evidence.ParseCRL(content, issuer.cert(), terms)
		})
		if err != nil {
			failed = err
			continue
		}
		one.crl = one.base
		if next == nil {
			next = one
		}
		next.by = append(next.by, issuer)
	}
	if next == nil {
		return nil, failed
	}
	return next, nil
}
