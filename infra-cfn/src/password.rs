//! Passwords that a template accepts.
//!
//! Owns the alphabet and the loop; the source of randomness comes from the caller and has to be a cryptographic one.

use rand::{CryptoRng, Rng, seq::SliceRandom};

use crate::template::Parameter;

/// Characters by class. Symbols that need quoting in a connection string, in JSON or in a shell are left out.
const CLASSES: [&[u8]; 4] =
    [b"abcdefghijkmnopqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"-_.~+=:"];

/// Length when the parameter does not say otherwise: 32 characters of 63 are 190 bits.
const LENGTH: usize = 32;

/// Draws before giving up; a pattern that a draw fits by chance at all fits within a few.
const ATTEMPTS: usize = 200;

/// Nothing fits what the template asks of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no password fits the constraints of parameter \"{0}\"; write one into the parameter file yourself")]
pub struct NoPasswordFits(pub String);

/// Draws a password that a parameter accepts, with every class of characters that it accepts.
///
/// # Errors
/// [`NoPasswordFits`] when lengths or pattern leave no room.
pub fn generate<R: CryptoRng + ?Sized>(
    name: &str,
    parameter: &Parameter,
    random: &mut R,
) -> Result<String, NoPasswordFits> {
    let least = parameter.min_length.unwrap_or(0);
    let most = parameter.max_length.unwrap_or(usize::MAX);
    let length = LENGTH.clamp(least.min(most), most);
    // From the richest alphabet to the poorest: symbols go first.
    [CLASSES.as_slice(), &CLASSES[..3], &CLASSES[..2], &CLASSES[..1]]
        .into_iter()
        .flat_map(|classes| std::iter::repeat_n(classes, ATTEMPTS))
        .map(|classes| draw(classes, length, random))
        .find(|it| parameter.check(it).is_ok())
        .ok_or_else(|| NoPasswordFits(name.to_owned()))
}

fn draw<R: CryptoRng + ?Sized>(classes: &[&[u8]], length: usize, random: &mut R) -> String {
    let pick = |from: &[u8], random: &mut R| char::from(from[random.random_range(0..from.len())]);
    let all = classes.concat();
    // A letter in front: some tools take a leading symbol for an option.
    let first = pick(classes[0], random);
    let mut rest: Vec<char> = classes.iter().skip(1).map(|class| pick(class, random)).collect();
    while rest.len() + 1 < length {
        rest.push(pick(&all, random));
    }
    rest.shuffle(random);
    std::iter::once(first).chain(rest).take(length).collect()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn parameter(change: impl FnOnce(&mut Parameter)) -> Parameter {
        let mut it = Parameter { kind: "String".into(), ..Parameter::default() };
        change(&mut it);
        it
    }

    #[test]
    fn a_password_has_every_class_and_differs_each_time() {
        let mut random = StdRng::seed_from_u64(1);
        let free = parameter(|_| {});
        let first = generate("P", &free, &mut random).unwrap();
        assert_eq!(first.len(), LENGTH);
        for class in CLASSES {
            assert!(first.bytes().any(|it| class.contains(&it)), "{first}");
        }
        assert_ne!(first, generate("P", &free, &mut random).unwrap());
    }

    #[test]
    fn constraints_are_kept() {
        let mut random = StdRng::seed_from_u64(2);
        for length in [8, 14, 32, 64] {
            let exact = parameter(|it| (it.min_length, it.max_length) = (Some(length), Some(length)));
            assert_eq!(generate("P", &exact, &mut random).unwrap().len(), length);
        }
        let plain = parameter(|it| it.allowed_pattern = Some("[a-zA-Z0-9]{8,}".into()));
        assert!(generate("P", &plain, &mut random).unwrap().chars().all(char::is_alphanumeric));
        let lower = parameter(|it| it.allowed_pattern = Some("[a-z]+".into()));
        assert!(generate("P", &lower, &mut random).unwrap().chars().all(char::is_lowercase));
    }

    #[test]
    fn an_impossible_constraint_is_an_error() {
        let mut random = StdRng::seed_from_u64(3);
        let impossible = parameter(|it| it.allowed_pattern = Some("[0-9]{3}".into()));
        assert_eq!(generate("Pin", &impossible, &mut random), Err(NoPasswordFits("Pin".into())));
    }
}
