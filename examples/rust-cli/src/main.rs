//! Prints its arguments, louder.

fn shout(words: &[String]) -> String {
    format!("{}!", words.join(" ").to_uppercase())
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", shout(&words));
}

#[cfg(test)]
mod tests {
    use super::shout;

    #[test]
    fn shouts_all_words() {
        assert_eq!(shout(&["good".into(), "day".into()]), "GOOD DAY!");
    }
}
