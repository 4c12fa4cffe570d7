package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// loadRemote brings the list up to date: from the Store, if that has a newer one, or else from the
// first URL whose list verifies.
func (c *Checker) loadRemote(ctx context.Context, l *remoteList, r *record, want wanted) error {
	if c.listFromStore(ctx, l, r) {
		known, now := l.first(), c.config.Now()
		if known != nil && c.whyOutdated(known, r, now) == nil && (want == (wanted{}) || want.news && !hasCome(known.soft, now, maxSoftCRL)) {
			return nil
		}
	}
	old := l.first()
	if old != nil && c.whyOutdated(old, r, c.config.Now()) != nil {
		old = nil // that it has not changed does not help
	}
	var failed error
	for _, url := range l.urls {
		err := c.fetchList(ctx, &l.place, url, old, func(response *inHand) (Result, error) { return c.acceptList(ctx, l, r, response, url) })
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// fetchList brings the lists of a place up to date from a URL. It calls accept for one other than old.
func (c *Checker) fetchList(ctx context.Context, p *place, url string, old *loadedList, accept func(*inHand) (Result, error)) error {
	request := c.listRequest(url, old)
	request.Configured = p.operated
	return c.get(ctx, p.partner, request, func(response *inHand) (Result, error) {
		if response.NotModified {
			return c.renew(ctx, p, old, response.MaxAge)
		}
		return accept(response)
	})
}

// listRequest returns the request for a CRL. It is conditional if the known list is from that URL and
// current: that an expired one has not changed helps nobody, and some servers say so by mistake. A delta
// is always fetched again.
func (c *Checker) listRequest(url string, known *loadedList) Request {
	request := Request{Kind: fetch.CRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)}
	if known != nil && known.lone == nil && known.url == url && known.base.Edition().Current(c.config.Now(), c.skew) == nil {
		request.ETag, request.LastModified = known.etag, known.lastModified
	}
	return request
}

// inHand is a list that is being read. Until it is dropped it counts against the partner's bound.
type inHand struct {
	Response
	size    int
	budget  *listBudget
	counted int // 0 for a file
}

func (r *inHand) drop() {
	r.budget.give(r.counted)
	r.Body, r.counted = nil, 0
}

// get fetches once through the gate and passes the response to use, whose error becomes that of
// the fetch. The body counts against what the partner may have in hand, from its first byte until
// use drops it or returns.
func (c *Checker) get(ctx context.Context, by *partner, request Request, use func(*inHand) (Result, error)) error {
	pass, err := by.enter(ctx, request.URL)
	if err != nil {
		return err
	}
	began := c.config.Now()
	response := inHand{budget: by.budget}
	defer response.drop()
	request.Grow = func(n int) error {
		err := by.budget.take(n)
		if err == nil {
			response.counted += n
		}
		return err
	}
	var result Result
	response.Response, err = safely.Do(func() (Response, error) { return c.fetcher.Fetch(ctx, request) })
	if errors.Is(err, ErrTooLarge) {
		err = advice.New(helpSize, err, "MaxListBytes allows %d", request.MaxBytes)
	}
	pass.leave(ctx, err)
	took := c.config.Now().Sub(began)
	response.size = len(response.Body)
	if err == nil && response.size > response.counted { // from a Fetcher that does not call Grow
		err = request.Grow(response.size - response.counted)
	}
	if err == nil {
		result, err = use(&response)
	}
	c.tell(ctx, Event{Kind: SourceCRL, Latency: took, Bytes: response.size, Err: err}, request.URL, result)
	return err
}

// renew keeps a list that has not changed according to the server, unless it has expired.
func (c *Checker) renew(ctx context.Context, p *place, old *loadedList, maxAge time.Duration) (Result, error) {
	if old == nil || old.lone != nil {
		return Result{}, fmt.Errorf("%w: 304 without a condition", fetch.HTTPStatusError{Status: http.StatusNotModified})
	}
	now := c.config.Now()
	if err := old.base.Edition().Current(now, c.skew); err != nil {
		return Result{}, err
	}
	next := *old
	next.fetched, next.soft = now, c.softOf(c.renewed(p, &next), now, maxAge)
	if err := c.lists.put(p, &next, nil); err != nil {
		return Result{}, err
	}
	return next.result(), c.refine(ctx, p)
}

// refine adds the delta to the first list of a place, which already counts, so that fetching it may take its time.
func (c *Checker) refine(ctx context.Context, p *place) error {
	held := p.first()
	if held == nil || held.lone != nil { // unloaded, or replaced by a delta
		return nil
	}
	next := *held
	next.crl, next.deltaMissing = c.withDelta(ctx, p, held)
	if next.crl == held.crl && next.deltaMissing == held.deltaMissing {
		return nil
	}
	if !p.operated || held.url != "" { // a file is read again when it changes
		next.soft = earliest(held.soft, c.softOf(c.renewed(p, &next), c.config.Now(), 0))
	}
	err := c.lists.put(p, &next, held)
	if err != nil { // no room for the delta: the list counts without it
		bare := *held
		bare.deltaMissing = isIncomplete(held.crl, c.config.Now(), c.skew)
		return errors.Join(err, c.lists.put(p, &bare, held))
	}
	return nil
}

// acceptList verifies a list and puts it in its place. It counts at once; its delta is fetched afterwards. The Store gets
// a list that counts for the certificate for which it was fetched.
func (c *Checker) acceptList(ctx context.Context, l *remoteList, r *record, response *inHand, url string) (Result, error) {
	next, err := c.admitList(ctx, l, response, url)
	if err != nil {
		return Result{}, err
	}
	stored := url == ""
	now := c.config.Now()
	if stored {
		next.fetched = next.base.ThisUpdate() // it is not known when it was
		next.soft = earliest(next.soft, next.fetched.Add(maxSoftCRL))
	}
	terms := c.terms(now)
	said, err := next.crl.LookupSubject(&r.who, &terms)
	next.idle = isAny(err, ErrCRLScope, evidence.ErrCRLIncomplete) || err == nil && said.ReasonsCovered != evidence.AllReasons
	err = c.lists.put(&l.place, next, nil)
	if errors.Is(err, ErrBudget) && !next.idle && c.lists.cut(&l.place, func(other *loadedList) bool { return other.base.IsElsewhere(&r.who) }) {
		err = c.lists.put(&l.place, next, nil) // instead of lists that arrived by mistake
	}
	if err != nil {
		return Result{}, err
	}
	outdated := c.whyOutdated(next, r, now)
	if !stored && c.config.Store != nil && outdated == nil {
		waits := *response // stays in hand until it is stored
		response.counted = 0
		then := waits.drop
		if waits.budget.lend(waits.size, c.config.MaxListBytes/4) {
			waits.drop()
			then = waits.budget.storing.Unlock
		}
		c.toStore(listKey(l), response.Body, next.base.NextUpdate(), storeTimeoutCRL, then)
	}
	response.drop()
	if err := c.refine(ctx, &l.place); err != nil {
		return Result{}, err
	}
	return next.result(), outdated // it counts, but another list is needed
}

// admitList checks everything that a list must satisfy before it counts.
func (c *Checker) admitList(ctx context.Context, l *remoteList, response *inHand, url string) (*loadedList, error) {
	base, err := l.partner.budget.build(ctx, func() (*evidence.CRL, error) {
		return evidence.ParseCRL(response.Body, l.authority.cert(), c.listTerms(l.authority, c.config.Now()))
	})
	if err != nil {
		return nil, err
	}
	now := c.config.Now()
	next := &loadedList{
		crl: base, base: base, by: []*authority{l.authority},
		fetched: now, url: url, etag: response.ETag, lastModified: response.LastModified,
	}
	// A revoked key may not displace what any list says against certificates, even if that has expired.
	if err := c.admit(&l.place, next, c.whySilent(base.Edition(), l.authority, now), l.first() != nil); err != nil {
		return nil, err
	}
	next.soft = c.softOf(c.renewed(&l.place, next), now, response.MaxAge)
	return next, nil
}

// listFromStore uses the list in the Store if it verifies and is newer. Only one list of a partner is
// read at a time; a caller that cannot wait for its turn, no longer than for the Store itself, uses the
// network.
func (c *Checker) listFromStore(ctx context.Context, l *remoteList, r *record) bool {
	if c.config.Store == nil {
		return false
	}
	budget := l.partner.budget
	turn, cancel := context.WithTimeout(ctx, min(storeTimeoutCRL, c.config.MaxWait/4))
	defer cancel()
	select {
	case budget.stored <- struct{}{}:
	case <-turn.Done():
		return false
	}
	der, ok := c.fromStore(turn, listKey(l), storeTimeoutCRL, func() { <-budget.stored })
	if !ok {
		return false
	}
	if len(der) > c.config.MaxListBytes {
		c.storeLies(ctx, ErrTooLarge)
		return false
	}
	now := c.config.Now()
	there, isDelta, err := evidence.ReadEdition(der)
	isKnown := func(old *loadedList) bool { // or older, by the CA's own key
		return there.ThisUpdate.Equal(old.base.ThisUpdate()) ||
			!old.isByAny(l.authority.otherSigners()) && c.keepsOut(old.edition(), there, now)
	}
	if held := l.all(); held != nil && (err != nil || isDelta || slices.ContainsFunc(held, isKnown)) { // it is not parsed
		return false
	}
	if budget.take(len(der)) != nil {
		return false
	}
	response := inHand{Response: Response{Body: der}, budget: budget, counted: len(der)}
	defer response.drop()
	if _, err := c.acceptList(ctx, l, r, &response, ""); err != nil {
		c.storeLies(ctx, err)
		return false
	}
	c.stats.storeHits.Add(1)
	return true
}
