package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxRemoteLists = 1024
	maxDeltaURLs   = 2
	unusedFor      = time.Hour // after which a list may be unloaded to make room
)

// remoteList is one distribution point of one CA. Its URLs are alternatives.
type remoteList struct {
	authority *authority
	urls      []string
	freshest  []string // of the certificate

	current atomic.Pointer[loadedList]
	failed  atomic.Pointer[setback]
	used    atomic.Int64
	// newest is how new the newest list was, also when it is in memory no more.
	newest atomic.Pointer[edition]

	mu     sync.Mutex
	flight *flight
}

// loadedList is a verified list in memory and how it came there. Immutable.
type loadedList struct {
	number uint64 // another one for every list

	crl  *CRL // with the delta, if there is one
	base *CRL // what a newer list is compared with
	soft time.Time

	url, etag, lastModified string
	deltaMissing            bool
}

// edition is what of a list tells whether another one is older.
type edition struct {
	standing standing
	point    []byte // the issuing distribution point, nil if there is none
}

// remoteLists are those that certificates name, found by CA and URLs: the same URL in
// certificates of two CAs is two lists.
type remoteLists struct {
	mu     sync.Mutex
	all    map[string]*remoteList
	loaded map[*remoteList]bool // those in memory, also if they are no longer found
}

func (m *remoteLists) of(by *authority, cert *x509.Certificate, points []distributionPoint) []*remoteList {
	freshest := freshestOf(cert)
	var lists []*remoteList
	for _, urls := range pointURLs(points) {
		lists = append(lists, m.one(by, urls, freshest))
	}
	return lists
}

func (m *remoteLists) one(by *authority, urls, freshest []string) *remoteList {
	// A newline cannot stand in a URL that is fetched.
	key := by.key + "\n" + strings.Join(urls, "\n") + "\n\n" + strings.Join(freshest, "\n")
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.all[key]; known != nil {
		return known
	}
	if m.all == nil {
		m.all = map[string]*remoteList{}
	}
	for len(m.all) >= maxRemoteLists {
		m.forgetOne()
	}
	l := &remoteList{authority: by, urls: urls, freshest: freshest}
	m.all[key] = l
	return l
}

// forgetOne drops the list that was not used for longest. Records that still hold it keep
// it in use; it is only no longer shared, and still counts as long as it is in memory.
func (m *remoteLists) forgetOne() {
	victim := ""
	var oldest int64
	for key, l := range m.all {
		if used := l.used.Load(); victim == "" || used < oldest {
			victim, oldest = key, used
		}
	}
	delete(m.all, victim)
}

// snapshot is the lists in memory.
func (m *remoteLists) snapshot() []*remoteList {
	m.mu.Lock()
	defer m.mu.Unlock()
	lists := make([]*remoteList, 0, len(m.loaded))
	for l := range m.loaded {
		lists = append(lists, l)
	}
	return lists
}

// hold puts a list into memory.
func (m *remoteLists) hold(l *remoteList, next *loadedList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == nil {
		m.loaded = map[*remoteList]bool{}
	}
	m.loaded[l] = true
	l.newest.Store(&edition{next.base.base.standing(), next.base.base.pointDER})
	l.current.Store(next)
}

// unload takes it out again, unless something newer is there by now.
func (m *remoteLists) unload(l *remoteList, known *loadedList) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !l.current.CompareAndSwap(known, nil) {
		return false
	}
	delete(m.loaded, l)
	return true
}

// loadRemote brings the list up to date: from the store if it is not in memory, else from
// the first of its URLs that has something that verifies.
func (c *Checker) loadRemote(ctx context.Context, l *remoteList) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	err := c.tryRemote(ctx, l)
	if err == nil {
		l.failed.Store(nil)
		return nil
	}
	var tried setback
	tried.note(err, c.config.Now())
	if !tried.until.IsZero() {
		l.failed.Store(&tried)
	}
	return err
}

func (c *Checker) tryRemote(ctx context.Context, l *remoteList) error {
	fromStore := func() bool { return c.listFromStore(ctx, l) }
	if fromStore() {
		return nil
	}
	release, appeared := c.takeTurn(ctx, listKey(l), listTurn, fromStore)
	defer release()
	if appeared {
		return nil
	}
	var failed error
	for _, url := range l.urls {
		err := c.fetchList(ctx, l, url)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func (c *Checker) fetchList(ctx context.Context, l *remoteList, url string) error {
	old := l.current.Load()
	request := Request{Kind: SourceCRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)}
	if old != nil && old.url == url {
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	response, err := c.get(ctx, l.authority.key, request, func(response Response) (Result, error) {
		if response.NotModified {
			return c.renew(ctx, l, old, response)
		}
		return c.acceptList(ctx, l, response, url, false)
	})
	if err != nil || response.NotModified || c.config.Store == nil {
		return err
	}
	if now := l.current.Load(); now != nil {
		c.toStore(ctx, listKey(l), response.Body, now.base.NextUpdate(), storeTimeoutCRL)
	}
	return nil
}

// get fetches once through the gate and hands what came to use, whose error is that of
// the fetch.
func (c *Checker) get(ctx context.Context, owner string, request Request, use func(Response) (Result, error)) (Response, error) {
	pass, err := c.gate.enter(ctx, owner, request.URL)
	if err != nil {
		return Response{}, err
	}
	began := c.config.Now()
	var response Response
	var result Result
	err = guarded(func() (err error) {
		response, err = c.fetcher.Fetch(ctx, request)
		return err
	})
	pass.leave(ctx, err, askedToWait(err))
	took := c.config.Now().Sub(began)
	if err == nil {
		result, err = use(response)
	}
	c.tell(ctx, fetched{
		source: SourceCRL, url: request.URL, took: took, bytes: len(response.Body), result: result, err: err,
	})
	return response, err
}

// renew keeps what the server says has not changed.
func (c *Checker) renew(ctx context.Context, l *remoteList, old *loadedList, response Response) (Result, error) {
	next, err := c.renewed(ctx, old, l.authority.cert(), l.freshest, response.MaxAge)
	if err != nil {
		return Result{}, err
	}
	if err := c.makeRoom(next.crl.Size(), l, c.config.Now()); err != nil { // for its delta
		return Result{}, err
	}
	c.remote.hold(l, next)
	return Result{Status: Good, ThisUpdate: next.base.ThisUpdate(), NextUpdate: next.base.NextUpdate()}, nil
}

// renewed is the list that has not changed, if it still counts, with the delta of today:
// that changes while its base does not.
func (c *Checker) renewed(ctx context.Context, old *loadedList, issuer *x509.Certificate, alsoAt []string, maxAge time.Duration) (*loadedList, error) {
	if old == nil {
		return nil, fmt.Errorf("%w: 304 without a condition", HTTPStatusError{Status: http.StatusNotModified})
	}
	now := c.config.Now()
	if err := c.notOver(old.base, now); err != nil {
		return nil, err
	}
	next := *old
	next.number = c.numbers.Add(1)
	next.crl, next.deltaMissing = c.withDelta(ctx, old.base, old, issuer, alsoAt)
	next.soft = c.softOf(next.crl, now, maxAge)
	return &next, nil
}

// acceptList verifies what came and puts it beside nothing, or in place of an older list
// of the same scope.
func (c *Checker) acceptList(ctx context.Context, l *remoteList, response Response, url string, stored bool) (Result, error) {
	base, err := c.build(ctx, response.Body, l.authority.cert())
	if err != nil {
		return Result{}, err
	}
	now := c.config.Now()
	if old := l.current.Load(); old != nil {
		if err := c.mayReplace(old.base, base, now); err != nil {
			return Result{}, err
		}
	} else if seen := l.newest.Load(); seen != nil && sameExtension(seen.point, base.base.pointDER) && base.standing().compare(seen.standing) < 0 {
		return Result{}, ErrRollback
	}
	next := &loadedList{number: c.numbers.Add(1), crl: base, base: base, url: url, etag: response.ETag, lastModified: response.LastModified}
	next.crl, next.deltaMissing = c.withDelta(ctx, base, l.current.Load(), l.authority.cert(), l.freshest)
	next.soft = c.softOf(next.crl, now, response.MaxAge)
	if stored {
		next.soft = softOfStored(next.soft, base.ThisUpdate(), now, maxSoftCRL)
	}
	if err := c.makeRoom(next.crl.Size(), l, now); err != nil {
		return Result{}, err
	}
	c.remote.hold(l, next)
	found := Result{Status: Good, ThisUpdate: base.ThisUpdate(), NextUpdate: base.NextUpdate()}
	return found, c.notOver(base, now)
}

// build verifies one list at a time, since while it is built it is in memory twice.
func (c *Checker) build(ctx context.Context, der []byte, issuer *x509.Certificate) (*CRL, error) {
	return c.buildOne(ctx, func() (*CRL, error) { return ParseCRL(der, issuer, c.terms(c.config.Now())) })
}

func (c *Checker) buildOne(ctx context.Context, parse func() (*CRL, error)) (*CRL, error) {
	select {
	case c.building <- struct{}{}:
		defer func() { <-c.building }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	return parse()
}

// mayReplace is rule C9. A list of another scope under the same address takes the place
// of one that has run out, not of one that counts; one whose time has not come takes none.
func (c *Checker) mayReplace(old, next *CRL, now time.Time) error {
	if next.ThisUpdate().After(now.Add(c.skew)) {
		return c.notOver(next, now)
	}
	err := old.CheckNewer(next)
	if err == nil || errors.Is(err, ErrRollback) {
		return err
	}
	if c.notOver(old, now) == nil {
		return err
	}
	return nil
}

// notOver refuses a list that has run out: it is kept for what it says against
// certificates, and another is needed.
func (c *Checker) notOver(l *CRL, now time.Time) error {
	switch {
	case l.ThisUpdate().After(now.Add(c.skew)):
		return fmt.Errorf("%w: thisUpdate lies ahead", ErrNotFresh)
	case !l.NextUpdate().IsZero() && now.After(l.NextUpdate().Add(c.skew)):
		return fmt.Errorf("%w: nextUpdate has passed", ErrNotFresh)
	}
	return nil
}

// softOf is when to fetch the list again. What the server says can only make it sooner.
func (c *Checker) softOf(l *CRL, now time.Time, maxAge time.Duration) time.Time {
	soft := now.Add(maxSoftCRL)
	if next := l.NextUpdate(); !next.IsZero() {
		soft = softDeadline(l.ThisUpdate(), next, now, maxSoftCRL, jitterOf(c.table.seed, l.ThisUpdate().String()))
	}
	if maxAge > 0 {
		soft = earliest(soft, now.Add(max(maxAge, minSoft)))
	}
	return soft
}

// withDelta completes the list by its delta (RFC 5280, section 5.2.6), if it names one and
// that can be had; else by the delta of the list before it, which may know of revocations
// that are nowhere else.
func (c *Checker) withDelta(
	ctx context.Context, base *CRL, before *loadedList, issuer *x509.Certificate, alsoAt []string,
) (crl *CRL, missing bool) {
	urls := usableURLs(append(base.FreshestURLs(), alsoAt...), maxDeltaURLs)
	if len(urls) == 0 || c.config.IgnoreDeltas {
		return base, false
	}
	if before != nil {
		base = base.withDeltaOf(before.crl)
	}
	if c.config.IgnoreCertificateURLs {
		return base, true
	}
	for i, url := range urls {
		if slices.Contains(urls[:i], url) {
			continue
		}
		merged := base
		_, err := c.get(ctx, authorityKey(issuer), Request{Kind: SourceCRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)},
			func(response Response) (Result, error) {
				next, err := c.buildOne(ctx, func() (*CRL, error) { return base.WithDelta(response.Body, issuer, c.terms(c.config.Now())) })
				if err != nil {
					return Result{}, err
				}
				merged = next
				return Result{Status: Good, ThisUpdate: next.ThisUpdate(), NextUpdate: next.NextUpdate()}, nil
			})
		if err == nil || errors.Is(err, ErrRollback) { // the list itself knows all that the delta does
			return merged, false
		}
	}
	return base, base.delta == nil || c.notOver(base, c.config.Now()) != nil
}

// withDeltaOf lays the delta of another list over this one, if it continues this one too.
func (l *CRL) withDeltaOf(other *CRL) *CRL {
	if other == nil || other.delta == nil || l.base.continuedBy(other.delta) != nil {
		return l
	}
	merged := *l
	merged.delta = other.delta
	return &merged
}

// makeRoom unloads lists that nobody asked for lately until the new one fits.
func (c *Checker) makeRoom(size int, asking *remoteList, now time.Time) error {
	lists := c.remote.snapshot()
	held := c.local.size()
	for _, l := range lists {
		if known := l.current.Load(); known != nil && l != asking {
			held += known.crl.Size()
		}
	}
	for _, l := range lists {
		if held+size <= c.config.MaxListMemory {
			return nil
		}
		known := l.current.Load()
		if known == nil || l == asking || now.Sub(time.Unix(l.used.Load(), 0)) < unusedFor {
			continue
		}
		if c.remote.unload(l, known) {
			held -= known.crl.Size()
			c.stats.listsUnloaded.Add(1)
		}
	}
	if held+size > c.config.MaxListMemory {
		return fmt.Errorf("%w: %d bytes held, %d more wanted, %d allowed", ErrBudget, held, size, c.config.MaxListMemory)
	}
	return nil
}

// listFromStore uses what the store holds, if it verifies and is news.
func (c *Checker) listFromStore(ctx context.Context, l *remoteList) bool {
	der, ok := c.fromStore(ctx, listKey(l), storeTimeoutCRL)
	if !ok {
		return false
	}
	if len(der) > c.config.MaxListBytes {
		c.stats.storeRejected.Add(1)
		return false
	}
	if old := l.current.Load(); old != nil && !isNews(old, der) {
		return false
	}
	if _, err := c.acceptList(ctx, l, Response{Body: der}, "", true); err != nil {
		c.stats.storeRejected.Add(1)
		return false
	}
	c.stats.storeHits.Add(1)
	return true
}

// isNews spares the building of what is in memory already.
func isNews(old *loadedList, der []byte) bool {
	der, err := unwrapPEM(der)
	if err != nil {
		return false
	}
	l, err := parseList(der, completeList)
	return err == nil && l.thisUpdate.After(old.base.ThisUpdate())
}
