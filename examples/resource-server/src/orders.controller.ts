import { Controller, Get } from '@nestjs/common';
import { Claims, TokenIssuer } from 'nestjs-kms-jwt';

@Controller('orders')
export class OrdersController {
  /** A subject is unique only within one issuer. */
  @Get()
  list(@TokenIssuer() issuer: string, @Claims('sub') customer: string) {
    return { issuer, customer, orders: [{ id: 1, item: 'Analytical Engine' }] };
  }
}
