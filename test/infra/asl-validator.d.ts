/** The part of asl-validator that is used; the package ships none. */
declare module "asl-validator" {
  interface Result {
    readonly isValid: boolean;
    errorsText(separator: string): string;
  }
  export default function validate(definition: unknown): Result;
}
