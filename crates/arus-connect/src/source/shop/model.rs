//! What happens in the shop: a pure function of the seed and of time, so that every table of it tells of the same visits, a
//! restored source gives the same rows again, and the frauds that were planted are known.
//!
//! A visit begins in a second and lasts less than [`LONGEST_MS`]; so does a fraud. Whoever wants the events from a moment on
//! begins that much earlier.

use arus_core::rng::Rng;

/// From the beginning of a visit or fraud to its last event, at most.
pub(super) const LONGEST_MS: i64 = 240_000;
/// As many different cards of one device within [`PATTERN_MS`] complete the pattern.
const PATTERN_CARDS: usize = 5;
const PATTERN_MS: i64 = 60_000;
/// A fraud may begin once in so many seconds.
const FRAUD_EVERY_S: i64 = 30;
/// Terminals in the shop's own rooms: many cards of one device, one after the other, and all of them honest.
const KIOSKS: u64 = 2;
const KIOSK_EVERY_MS: i64 = 17_000;

const CATEGORIES: &[(&str, u64, i64, [&str; 4])] = &[
    ("Audio", 12, 8_900, ["headphones", "speaker", "turntable", "microphone"]),
    ("Bikes", 6, 24_900, ["city bike", "helmet", "light set", "child seat"]),
    ("Books", 26, 1_800, ["novel", "atlas", "cookbook", "picture book"]),
    ("Garden", 14, 3_400, ["hose", "seeds", "shears", "lantern"]),
    ("Kitchen", 22, 4_200, ["pan", "kettle", "knife", "scales"]),
    ("Toys", 20, 2_600, ["puzzle", "train", "kite", "building set"]),
];
const COUNTRIES: &[(&str, u64)] =
    &[("AT", 10), ("CH", 9), ("DE", 32), ("ES", 6), ("FR", 13), ("GB", 10), ("IT", 6), ("NL", 8), ("PL", 4), ("US", 2)];
const REFERRERS: &[(&str, u64)] = &[("ad", 13), ("direct", 24), ("mail", 18), ("search", 45)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    PageViews,
    Baskets,
    Orders,
    Payments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    Customer(u64),
    Kiosk(u64),
    Fraud(u64),
}

/// One event; each stream has those of its fields that mean something to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at_ms: i64,
    /// Among those of one moment, and a name for it.
    pub(super) number: i64,
    pub(super) stream: Stream,
    pub(super) visit: i64,
    pub(super) customer: u64,
    pub(super) device: Device,
    pub(super) country: &'static str,
    pub(super) referrer: &'static str,
    pub(super) page: &'static str,
    pub(super) category: &'static str,
    pub(super) product: &'static str,
    pub(super) quantity: i32,
    pub(super) cents: i64,
    pub(super) card: u64,
    pub(super) accepted: bool,
}

/// A planted card testing: many cards of one device, small amounts, most of them declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fraud {
    pub(super) device: u64,
    pub(super) at_ms: Vec<i64>,
}

impl Fraud {
    /// When the fifth card within a minute was tried; a patient fraud never gets there.
    pub(super) fn completed_ms(&self) -> Option<i64> {
        self.at_ms
            .windows(PATTERN_CARDS)
            .find(|w| w[PATTERN_CARDS - 1] - w[0] < PATTERN_MS)
            .map(|w| w[PATTERN_CARDS - 1])
    }
}

fn mixed(seed: u64, what: u64, number: i64) -> Rng {
    let mut rng = Rng::seeded(seed ^ what.wrapping_mul(0xA076_1D64_78BD_642F));
    let first = rng.next_u64();
    Rng::seeded(first ^ (number as u64).wrapping_mul(0xE703_7ED1_A0B4_28DB))
}

fn weighted<'a, T>(rng: &mut Rng, choices: &'a [T], weight: impl Fn(&T) -> u64) -> &'a T {
    let mut left = rng.below(choices.iter().map(&weight).sum());
    for choice in choices {
        match left.checked_sub(weight(choice)) {
            Some(rest) => left = rest,
            None => return choice,
        }
    }
    &choices[0]
}

fn chance(rng: &mut Rng, percent: u64) -> bool {
    rng.below(100) < percent
}

fn between(rng: &mut Rng, least: i64, most: i64) -> i64 {
    least + rng.below((most - least + 1) as u64) as i64
}

/// The fraud that begins in this second, if one does.
pub(super) fn fraud(seed: u64, second: i64) -> Option<Fraud> {
    let slot = second.div_euclid(FRAUD_EVERY_S);
    let mut rng = mixed(seed, 2, slot);
    if !chance(&mut rng, 80) || rng.below(FRAUD_EVERY_S as u64) as i64 != second.rem_euclid(FRAUD_EVERY_S) {
        return None;
    }
    let (least, most) = match rng.below(10) {
        0 => (60_000, 100_000),
        1 | 2 => (25_000, 50_000),
        _ => (6_000, 25_000),
    };
    let length_ms = between(&mut rng, least, most);
    let cards = between(&mut rng, 6, 14);
    let mut at_ms: Vec<i64> = (0..cards).map(|_| second * 1_000 + between(&mut rng, 0, length_ms)).collect();
    at_ms.sort_unstable();
    Some(Fraud { device: rng.below(1 << 40), at_ms })
}

/// All that begins in this second, in no order.
pub(super) fn begin(seed: u64, second: i64, visits_per_second: f64, out: &mut Vec<Event>) {
    let mut rng = mixed(seed, 1, second);
    // The day of this shop lasts an hour, and a campaign brings people each ten minutes.
    let day = (second.rem_euclid(3_600) as f64 / 3_600.0 * std::f64::consts::TAU).sin();
    let campaign = (-(second.rem_euclid(600) as f64) / 90.0).exp();
    let due = visits_per_second * (1.0 + 0.25 * day + 0.6 * campaign);
    let visits = due as u64 + u64::from(rng.unit_f64() < due.fract());
    for visit in 0..visits.min(90) {
        one_visit(&mut rng, second * 100 + visit as i64, second, campaign, out);
    }
    for kiosk in 0..KIOSKS {
        at_kiosk(seed, kiosk, second, out);
    }
    if let Some(fraud) = fraud(seed, second) {
        let mut rng = mixed(seed, 4, second);
        for (i, at_ms) in fraud.at_ms.iter().enumerate() {
            out.push(Event {
                stream: Stream::Payments,
                device: Device::Fraud(fraud.device),
                cents: between(&mut rng, 50, 299),
                card: rng.next_u64(),
                accepted: chance(&mut rng, 20),
                ..blank(*at_ms, second * 100 + 92, i as i64)
            });
        }
    }
}

fn blank(at_ms: i64, visit: i64, number: i64) -> Event {
    Event {
        at_ms,
        number: visit * 64 + number,
        stream: Stream::PageViews,
        visit,
        customer: 0,
        device: Device::Customer(0),
        country: "DE",
        referrer: "direct",
        page: "",
        category: "",
        product: "",
        quantity: 1,
        cents: 0,
        card: 0,
        accepted: false,
    }
}

fn at_kiosk(seed: u64, kiosk: u64, second: i64, out: &mut Vec<Event>) {
    let slot = (second * 1_000).div_euclid(KIOSK_EVERY_MS);
    // A slot may lie in two seconds' reach: the one that it begins in tells it.
    for slot in [slot, slot + 1] {
        let begins = slot * KIOSK_EVERY_MS;
        if begins.div_euclid(1_000) != second {
            continue;
        }
        let mut rng = mixed(seed, 8 + kiosk, slot);
        let at_ms = begins + between(&mut rng, 0, KIOSK_EVERY_MS - 1);
        out.push(Event {
            stream: Stream::Payments,
            device: Device::Kiosk(kiosk + 1),
            cents: between(&mut rng, 500, 9_000),
            card: rng.next_u64(),
            accepted: chance(&mut rng, 97),
            ..blank(at_ms, second * 100 + 93 + kiosk as i64, 0)
        });
    }
}

fn one_visit(rng: &mut Rng, visit: i64, second: i64, campaign: f64, out: &mut Vec<Event>) {
    let customer = rng.below(4_000);
    let mut at_ms = second * 1_000 + between(rng, 0, 999);
    let mut number = 0;
    let by_mail = rng.unit_f64() < 0.5 * campaign;
    let referrer = if by_mail { "mail" } else { weighted(rng, REFERRERS, |r| r.1).0 };
    let country = weighted(rng, COUNTRIES, |c| c.1).0;
    let mut event = |at_ms: i64, stream: Stream| {
        number += 1;
        Event { stream, customer, device: Device::Customer(customer), country, referrer, ..blank(at_ms, visit, number) }
    };
    let &(category, _, price, products) = weighted(rng, CATEGORIES, |c| c.1);
    out.push(Event { page: "home", ..event(at_ms, Stream::PageViews) });
    let mut basket = vec![];
    let wants = chance(rng, 36);
    for _ in 0..between(rng, 1, 6) {
        at_ms += between(rng, 2_000, 14_000);
        let product = products[rng.below(products.len() as u64) as usize];
        let page = if chance(rng, 30) { "category" } else { "product" };
        out.push(Event { page, category, product, ..event(at_ms, Stream::PageViews) });
        if page == "product" && wants && basket.len() < 3 && chance(rng, 70) {
            at_ms += between(rng, 500, 4_000);
            let quantity = 1 + (rng.below(5) / 4) as i32;
            let cents = price * between(rng, 60, 160) / 100 * i64::from(quantity);
            let put = Event { category, product, quantity, cents, ..event(at_ms, Stream::Baskets) };
            out.push(put);
            basket.push(put);
        }
    }
    if basket.is_empty() || !chance(rng, 64) {
        return;
    }
    at_ms += between(rng, 2_000, 8_000);
    out.push(Event { page: "checkout", ..event(at_ms, Stream::PageViews) });
    at_ms += between(rng, 3_000, 12_000);
    for put in &basket {
        let Event { category, product, quantity, cents, .. } = *put;
        out.push(Event { category, product, quantity, cents, ..event(at_ms, Stream::Orders) });
    }
    let cents = basket.iter().map(|put| put.cents).sum();
    let card = mixed(customer, 7, 0).next_u64();
    // Who is declined tries the same card again.
    for _ in 0..3 {
        at_ms += between(rng, 800, 6_000);
        let accepted = chance(rng, 93);
        out.push(Event { cents, card, accepted, ..event(at_ms, Stream::Payments) });
        if accepted || chance(rng, 25) {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_and_frauds_last_no_longer_than_told_and_come_again_the_same() {
        let (mut first, mut again) = (vec![], vec![]);
        let (mut frauds, mut patient) = (0, 0);
        for second in 1_800_000_000..1_800_003_600 {
            let from = first.len();
            begin(7, second, 4.0, &mut first);
            begin(7, second, 4.0, &mut again);
            for event in &first[from..] {
                let lasts = event.at_ms - second * 1_000;
                assert!((0..LONGEST_MS).contains(&lasts), "{event:?} {lasts}");
            }
            if let Some(fraud) = fraud(7, second) {
                frauds += 1;
                patient += u32::from(fraud.completed_ms().is_none());
            }
        }
        assert_eq!(first, again);
        assert!((70..120).contains(&frauds) && patient < 8, "{frauds} frauds, {patient} of them patient");
        let share = |stream| first.iter().filter(|e| e.stream == stream).count();
        let counts = [Stream::PageViews, Stream::Baskets, Stream::Orders, Stream::Payments].map(share);
        assert!(counts.iter().all(|n| *n > 500), "{counts:?}");
        let mut names: Vec<i64> = first.iter().map(|e| e.number).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), first.len(), "each event has a number of its own");
    }
}
